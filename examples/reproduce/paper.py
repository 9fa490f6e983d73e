"""What is known here of the paper's own figures: Wang et al., Masked Spiking Transformer, ICCV 2023. The paper's
tables could not be read for this; a figure is here only if a source states it, and what no source states is None."""

SOURCES = [
    ("abstract", "the paper's abstract, arXiv 2210.01208"),
    ("readme", "README of the authors' code, github.com/bic-L/Masked-Spiking-Transformer"),
    ("loss", "the paper's conversion loss on CIFAR-10 and its fine-tuning by distillation (Section 4.3), known at second "
             "hand, not seen in the paper here"),
    ("list", "list of published results in github.com/Fancyssc/STEP, cls/README.md; it does not name T"),
    ("report", "a student report on GitHub (in Chinese) that describes the paper's Table 3, Fig. 3 and attention maps "
               "and reruns the authors' ImageNet checkpoints"),
    ("sam", "Kim and Panda, Visual explanations from spiking neural networks using inter-spike intervals, Sci. Rep. "
            "11, 19037 (2021), as public notes and code on GitHub give its formula; gamma = 0.4 is that code's"),
]
LOSS = {64: 1.82, 256: 0.87}      # points between ANN and SNN, CIFAR-10 [loss]
BEST = 97.27                      # percent, CIFAR-10, SNN [list]
SAVING = {"swin-sa75": 26.8}      # percent less power than unmasked [abstract]
ACCURACY = {"swin-sa75": "the same level"}  # against unmasked, in words [abstract]
NOT_AT_HAND = "not at hand"


def mark(name):
    """The number of a source on the page."""
    return "[%d]" % (1 + [key for key, _ in SOURCES].index(name))


def cell(value, form="%s", source=None):
    if value is None:
        return NOT_AT_HAND
    return form % value + (" " + mark(source) if source else "")
