"""The embedded base: a small, real SDXL pipeline and its scorer, trained on rendered emoji.

Reads in the order in which the stages run (``python -m trainer.embedded_base STAGE``)::

    concepts ─ atlas ─ scenes/captions ─ train_autoencoder ─ train_denoiser ─ export
                                    └─── train_scorer, subjects

Nothing here is needed to *use* the base: ``assets/embedded_base`` is a stock diffusers folder.
"""
