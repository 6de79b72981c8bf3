"""Everything that knows language models and encoders: load, tokenise, loss, publish."""
