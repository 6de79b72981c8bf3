"""The page, a tab a module, in the order of the main job. Lays out and wires; the verbs are Studio's."""
