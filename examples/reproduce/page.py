"""The whole page, README.md, from the measurements."""
import effort_section
import figure_sections
import paper
import tables
from document import Document
from experiments import RUNS


def write(args, models, missing, found):
    """README.md with everything, its parts as csv, svg, png, and claims.json."""
    page = Document(args, models, found)
    page.add("# The paper's tables and figures, on our models\n",
             "Wang et al., Masked Spiking Transformer (ICCV 2023), arXiv 2210.01208, beside small networks of our own training (examples/models/README.md), measured by "
             "the C tools step by step as in the paper (`step`) and in windows (`count`, `radix`), which the paper does not have. Each sentence that judges a figure of the paper's is "
             "computed from the numbers (claims.json). Two numbers are the same where they are within two standard errors of the difference, or half of the last digit.\n")
    if missing:
        page.add("Not measured, the model is not there: %s.\n" % ", ".join(missing))
    if args.only:
        page.add("Measured were only: %s.\n" % ", ".join(RUNS[name].file for name in models))
    for section in tables.SECTIONS + figure_sections.SECTIONS + effort_section.SECTIONS:
        section(page)
    judged = [c for c in page.claims if c["holds"] is not None]
    page.add("## Sources\n", "\n".join("%d. %s" % (i + 1, text) for i, (_, text) in enumerate(paper.SOURCES)) + "\n",
             "Of %d sentences that judge the paper's statements, %d agree.\n" % (len(judged), sum(c["holds"] for c in judged)))
    page.save()
