"""The pages of the panel: Django views over the verbs and tables below, plain HTML that works without scripts."""
