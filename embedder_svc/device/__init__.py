"""Takes batches for one model from many calls, so that they share it fairly."""

from embedder_svc.device.sharing import CallQueue, Device

__all__ = ["CallQueue", "Device"]
