"""What a run looks like to a person: one picture, shown live, as plain lines, or as JSON."""
