"""The makers of the bundled models: questions, recipes, training stages and measurements."""
