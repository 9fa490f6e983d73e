"""Masked Spiking Transformer models in PyTorch, ready for conversion.

The modules here train and export artificial networks (ANN). The conversion to
spikes happens in the C tools; simulate.py is an independent check of them.
"""
