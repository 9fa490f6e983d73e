"""What the measurements took: time and images of each table and figure."""
TITLES = {"table": "Tables 1 and 3, Fig. 1", "table2": "Table 2", "fig3": "Fig. 3", "fig5": "Fig. 5", "fig6": "Fig. 6",
          "fig7": "Fig. 7"}


def effort(page):
    """A measurement that several of them share is counted where it stands first."""
    page.add("## What this took\n")
    rows, seen, total = [], set(), [0.0, 0.0]
    for part, title in TITLES.items():
        of_part = [result for key, result in page.found.items() if part in (key, key[0])]
        fresh = {id(result): result for result in of_part if id(result) not in seen}
        if not of_part:
            continue
        seen |= set(fresh)
        spent = [sum(result["took"][name] for result in fresh.values()) for name in ("seconds", "processor_seconds")]
        total = [a + b for a, b in zip(total, spent, strict=True)]
        rows.append([title, len(fresh), images_of(of_part)] + ["%.2f" % (s / 60) for s in spent])
    page.table("effort", ["", "measurements", "images", "minutes", "minutes of processor time"], rows)
    page.add("In all %.0f minutes with %d threads, %.0f of processor time: where that many cores have nothing else to do, about %.0f.\n"
             % (total[0] / 60, page.args.threads, total[1] / 60, total[1] / 60 / page.args.threads))


def images_of(part):
    """Samples of the measurements by mode, as a range where they differ."""
    by_mode = {}
    for result in part:
        by_mode.setdefault(result.get("mode", ""), set()).add(result["samples"] if "samples" in result else result["images"])
    return "; ".join((mode + " " if mode else "") + (str(min(n)) if len(n) == 1 else "%d to %d" % (min(n), max(n)))
                     for mode, n in sorted(by_mode.items()))


SECTIONS = (effort,)
