"""Methods of comparison beside the adapter core, behind one interface."""
