"""Independent second implementations, in Python, that the C code is checked against.

snn_reader   reads snn.bin, written from docs/FORMAT.md alone
philox       Philox 4x32-10
simulator    runs a loaded graph, written from docs/EXECUTION.md alone
counts       the same in count and radix mode; thinning: the masks there
stepping     takes windows of counts apart into spikes and lets them arrive one by one
onnx_if      runs an .onnx file with IF neurons for its QCFS; never sees snn.bin
compare      compares a trace of mstrun with the simulator (a command)

Nothing here calls the C code.
"""
