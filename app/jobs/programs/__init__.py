"""What runs in a job, a module a kind: request in, result out. Only these import torch."""
