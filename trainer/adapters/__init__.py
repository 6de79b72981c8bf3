"""The adapter core: LoRA, LoRA-Dash, LoRA-Init and LoRA-TSD on any torch.nn.Linear."""
