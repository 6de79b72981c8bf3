"""The page, a tab a module. Tabs lay out and wire; the verbs are `app.studio`'s."""
