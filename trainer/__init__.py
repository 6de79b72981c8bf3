"""The work: recipes over one loop, one adapter core, and the files they leave behind."""
