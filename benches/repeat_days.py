#!/usr/bin/env python3
"""Repeats a day of flow records, for a training that is longer than memory.

usage: repeat_days.py RECORDS.csv DAYS > LONG.csv

RECORDS.csv is what `auscult flows --format csv` wrote of less than a day. Each following day is the same but for its times and a
few ports and volumes, so that no two days are alike to the byte. The same input gives the same bytes.
"""

import csv
import datetime
import sys

TIMES = ["flow_start", "flow_end"]
FORM = "%Y-%m-%dT%H:%M:%S.%f%z"


def main():
    path, days = sys.argv[1], int(sys.argv[2])
    with open(path, newline="") as file:
        reader = csv.reader(file)
        header = next(reader)
        rows = list(reader)
    times = [header.index(name) for name in TIMES]
    moments = [[datetime.datetime.strptime(row[place], FORM) for place in times] for row in rows]
    port, proto = header.index("src_port"), header.index("proto")
    volume = header.index("flow_bytes_toserver")
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(header)
    for day in range(days):
        later = datetime.timedelta(days=day)
        for number, (row, at) in enumerate(zip(rows, moments)):
            row = list(row)
            for place, moment in zip(times, at):
                row[place] = (moment + later).strftime(FORM)
            if day and row[proto] in ("TCP", "UDP") and int(row[port]) >= 32768:
                row[port] = str(32768 + (int(row[port]) + 7919 * day + number) % 28000)
                row[volume] = str(int(row[volume]) + (day * 31 + number) % 9)
            out.writerow(row)


if __name__ == "__main__":
    main()
