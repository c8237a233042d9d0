"""RUNNING: a bundle answers, without torch.

network        Network: what a bundle says about images
"""

from striate.engine.network import Network, Prediction, load

__all__ = ["Network", "Prediction", "load"]
