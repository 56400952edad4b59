"""What other programs read from a lake: DuckDB and Polars.

    lake_readers.py sums LAKE          JSON: what each of them counts and sums
    lake_readers.py page PAGE LAKE     JSON: of each query of the page, what is shown under it and what it gives
    lake_readers.py write PAGE LAKE    puts what the queries give into the page
"""

import json
import re
import sys

import duckdb
import polars

# A query, and under it what it gives.
PAIR = re.compile(r"```sql\n(.*?)```\n\n```text\n(.*?)```", re.DOTALL)
# What the queries of the page stand on; the page shows it too.
VIEW = re.compile(r"```sql view\n(.*?)```", re.DOTALL)


def sums(lake):
    of_all = "count(*), sum(flow_bytes_toserver), sum(flow_bytes_toclient), round(sum(auscult_bits), 3), min(flow_start), max(flow_end)"
    view = f"read_parquet('{lake}/**/*.parquet', hive_partitioning = true)"
    rows = duckdb.sql(f"SELECT {of_all}, count(DISTINCT (site, date, hour)), min(site) FROM {view}").fetchall()
    (duck,) = rows
    frame = polars.scan_parquet(f"{lake}/**/*.parquet", hive_partitioning=True)
    of_polars = frame.select(
        polars.len(),
        polars.col("flow_bytes_toserver").sum(),
        polars.col("flow_bytes_toclient").sum().alias("back"),
        polars.col("auscult_bits").sum().round(3),
        polars.col("flow_start").min(),
        polars.col("flow_end").max(),
        polars.struct("site", "date", "hour").n_unique().alias("hours"),
        polars.col("site").min(),
    )
    return {"duckdb": [told(cell) for cell in duck], "polars": [told(cell) for cell in of_polars.collect().row(0)]}


def told(cell):
    return cell.isoformat(timespec="microseconds")[:26] if hasattr(cell, "isoformat") else cell


def as_text(relation):
    rows = [["" if cell is None else str(cell) for cell in row] for row in relation.fetchall()]
    columns = [relation.columns, *rows]
    widths = [max(len(row[place]) for row in columns) for place in range(len(relation.columns))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in columns]
    return "\n".join(lines) + "\n"


def answered(page, lake):
    connection = duckdb.connect()
    view = VIEW.search(page).group(1)
    connection.execute(view.replace("'lake/", f"'{lake}/"))
    for pair in PAIR.finditer(page):
        query, shown = pair.groups()
        yield pair, query, shown, as_text(connection.sql(query))


def main():
    what, *rest = sys.argv[1:]
    if what == "sums":
        print(json.dumps(sums(*rest)))
        return
    path, lake = rest
    with open(path, encoding="utf-8") as file:
        page = file.read()
    if what == "page":
        print(json.dumps([{"query": query, "shown": shown, "given": given} for _, query, shown, given in answered(page, lake)]))
        return
    for pair, query, _, given in reversed(list(answered(page, lake))):
        page = page[: pair.start()] + f"```sql\n{query}```\n\n```text\n{given}```" + page[pair.end() :]
    with open(path, "w", encoding="utf-8") as file:
        file.write(page)


main()
