"""EchoMimicV2 (and V1): its networks on diffusers, loaded from the released weights by their own names.

Nothing here is imported by the default engines; every module of this room may use torch and diffusers.
"""
