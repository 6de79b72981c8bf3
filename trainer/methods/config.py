"""Names of the methods that a run can train in place of the adapter core's. No torch.

    full        all weights
    bitfit      the biases alone                                    Ben Zaken et al. 2021
    ssl, ssb    a factor for every input of a linear; ssb: and for every output
                                                                    Si et al. 2024, "See further"
    spectral    the r largest singular vectors of each weight       Zhang and Pilanci 2024
    peft-lora, dora, pissa, ia3, prefix      as PEFT has them; pissa always without dropout, which
                would hide the base's largest singular vectors from the base itself

AdaLoRA and FLoRA are methods of the core (`--adapter.method`), so that their dash forms differ from
them in nothing else; MiLoRA is the core's lora-init with direction bottom and no pre-launch steps.
Series and parallel bottleneck adapters are not among them: the library that has them (adapters
1.3.0) wants transformers 4.57.
"""

from __future__ import annotations

from typing import Literal

Instead = Literal[
    "full", "bitfit", "ssl", "ssb", "spectral", "peft-lora", "dora", "pissa", "ia3", "prefix"
]

OF_SINGULAR_VECTORS: tuple[Instead, ...] = ("spectral", "pissa")
"""Those that decompose the weights by themselves, and can read no packed ones."""
WITHOUT_TARGETS: tuple[Instead, ...] = ("full", "bitfit", "ia3", "prefix")
"""Those that do not ask which modules to adapt."""
WHOLE: tuple[Instead, ...] = ("full", "bitfit")
"""Those that train the base's own weights: what they leave is a model, and no adapter."""
