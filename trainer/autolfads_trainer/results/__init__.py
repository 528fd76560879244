"""What a finished run leaves: rates, fit log, model, report, and all of it in a zip."""
