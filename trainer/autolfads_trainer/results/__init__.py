"""What a finished run leaves: denoised rates, the fit log, the model, a report, and all in a zip."""
