#!/usr/bin/env python3
"""The flows of WUSTL-EHMS-2020 as flow records with their truth, for labelled_flows.py and `auscult eval`.

usage: wustl_flows.py TABLE > FLOWS

The table (CSV, plain or gzip) has no times: its rows are in order, so each begins two seconds after the one before. Its interfaces are left
out, since they tell every attack by themselves.
"""

import csv
import gzip
import sys

START, EVERY_S = 1_600_000_000, 2
BYTES_OF_ACK = 62
COLUMNS = "start,end,src_ip,dst_ip,src_port,dst_port,proto,orig_bytes,resp_bytes,orig_pkts,resp_pkts,label,detail"


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    name = sys.argv[1]
    rows = csv.DictReader((gzip.open if name.endswith(".gz") else open)(name, "rt"))
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(COLUMNS.split(","))
    for place, row in enumerate(rows):
        start = START + EVERY_S * place
        answers = max(int(row["DstBytes"]) // BYTES_OF_ACK, 1)
        attack = row["Label"] == "1"
        # Some ports are written as the names of services.
        port = row["Sport"] if row["Sport"].isdigit() else ""
        out.writerow(
            [f"{start:.6f}", f"{start + float(row['Dur']):.6f}", row["SrcAddr"], row["DstAddr"], port, row["Dport"], "tcp"]
            + [row["SrcBytes"], row["DstBytes"], int(row["TotPkts"]) - answers, answers]
            + (["malicious", row["Attack Category"]] if attack else ["benign", ""])
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
