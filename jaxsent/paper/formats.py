"""A filled table as text, Markdown, LaTeX and CSV."""

import csv
import io

from jaxsent.paper.fill import Filled
from jaxsent.paper.table import Table

EMPTY = "–"
LINES = ("paper", "ours", "difference", "95 %")
ESCAPED = {"%": r"\%", "&": r"\&", "_": r"\_", "–": "--", "−": "$-$", "±": r"$\pm$"}


def text(table: Table, filled: list[Filled]) -> str:
    """Columns aligned, a block of up to four lines for each row."""
    head, *lines = _lines(table, filled)
    widths = [max(len(line[i]) for line in (head, *lines)) for i in range(len(head))]

    def aligned(line):
        cells = [line[0].ljust(widths[0]), line[1].ljust(widths[1])]
        return "  ".join(cells + [c.rjust(w) for c, w in zip(line[2:], widths[2:])]).rstrip()

    return "\n".join([table.title, "", aligned(head), *map(aligned, lines)])


def markdown(table: Table, filled: list[Filled]) -> str:
    """A pipe table."""
    head, *lines = _lines(table, filled)
    rule = ["---", "---", *["---:"] * (len(head) - 2)]
    rows = ["| " + " | ".join(line) + " |" for line in (head, rule, *lines)]
    return "\n".join([f"**{table.title}**", "", *rows])


def latex(table: Table, filled: list[Filled]) -> str:
    """A tabular for the booktabs package."""
    head, *lines = _lines(table, filled)
    rows = [" & ".join(map(_latex, line)) + r" \\" for line in (head, *lines)]
    return "\n".join(
        [
            f"% {table.title}",
            rf"\begin{{tabular}}{{ll{'r' * (len(head) - 2)}}}",
            r"\toprule",
            rows[0],
            r"\midrule",
            *rows[1:],
            r"\bottomrule",
            r"\end{tabular}",
        ]
    )


def as_csv(table: Table, filled: list[Filled]) -> str:
    """A line a cell, in the numbers' own units; `runs` are the folders that fill it."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        ["table", "row", "column", "paper", "ours", "difference", "low", "high", "runs", "missing",
         "sd", "seeds"]
    )  # fmt: skip
    for one in filled:
        low, high = one.interval or (None, None)
        numbers = (one.cell.paper, one.value, one.difference, low, high)
        writer.writerow(
            [
                table.name,
                one.cell.row,
                one.cell.column,
                *("" if n is None else f"{n:.6g}" for n in numbers),
                " ".join(run.name for run in one.cell.runs),
                " ".join(run.name for run in one.missing),
                "" if one.deviation is None else f"{one.deviation:.6g}",
                "" if one.value is None else one.seeds,
            ]
        )
    return out.getvalue().rstrip("\n")


FORMATS = {"text": text, "markdown": markdown, "latex": latex, "csv": as_csv}


def _lines(table: Table, filled: list[Filled]) -> list[list[str]]:
    """The head, then for each row its lines that have a number anywhere."""
    places = {(one.cell.row, one.cell.column): one for one in filled}
    columns = list(dict.fromkeys(one.cell.column for one in filled))
    lines = [["", "", *columns]]
    for row in table.rows:
        cells = [places.get((row, column)) for column in columns]
        texts = {
            "paper": [_number(c and c.cell.paper, table) for c in cells],
            "ours": [_with_deviation(c, table) for c in cells],
            "difference": [_number(c and c.difference, table, "+") for c in cells],
            "95 %": [_interval(c and c.interval, table) for c in cells],
        }
        has_runs = any(c and c.cell.runs for c in cells)
        names = [
            name for name in LINES if set(texts[name]) != {EMPTY} or (name == "ours" and has_runs)
        ]
        lines += [[row if i == 0 else "", name, *texts[name]] for i, name in enumerate(names)]
    return lines


def _number(value: float | None, table: Table, sign: str = "") -> str:
    if value is None:
        return EMPTY
    shown = f"{100 * value:{sign}.2f}" if table.unit == "%" else f"{value:{sign}.3f}"
    return shown.replace("-", "−")


def _with_deviation(filled: Filled | None, table: Table) -> str:
    """61.20, or 61.20 ± 0.45 over seeds."""
    value = _number(filled and filled.value, table)
    deviation = filled and filled.deviation
    return value if deviation is None else f"{value} ± {_number(deviation, table)}"


def _interval(bounds, table: Table) -> str:
    if bounds is None:
        return EMPTY
    return "–".join(_number(bound, table) for bound in bounds)


def _latex(text: str) -> str:
    return "".join(ESCAPED.get(c, c) for c in text)
