"""Pretrained networks that turn pictures into embeddings: int8 ONNX files, built once and kept in the user's cache."""

from edgecls.learn.backbone.backbone import BACKBONES, DEFAULT, Backbone, open_backbone
from edgecls.learn.backbone.graph import EMBEDDING

__all__ = ["BACKBONES", "DEFAULT", "EMBEDDING", "Backbone", "open_backbone"]
