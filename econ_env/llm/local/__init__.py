"""Language models that run in this process: loading, prompts, decode loop and sampler."""
