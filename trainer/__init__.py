"""Training a network on one video alone. The story is `tsr.trainer.train`."""
