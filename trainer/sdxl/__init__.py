"""Everything that knows SDXL: loading a base, encoding, the loss, sampling, export key layouts."""
