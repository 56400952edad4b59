#!/usr/bin/env python3
"""Turns the ground truth of public data sets into auscult's label format (datasets/PUBLIC.md says what is what).

    labels.py cic-ids2017                                    the attack windows; the rest of the week is benign
    labels.py ctu-13 capture20110810.binetflow
    labels.py iot-23 conn.log.labeled
    labels.py unsw-nb15 NUSW-NB15_GT.csv --widen 60          the rest is benign, but for what the attackers sent
    labels.py kitsune packets.csv SYN_DoS_labels.csv --attack syn-dos
    labels.py --self-test

Rows go to stdout, a summary with the time of the first attack (where to split) to stderr.
"""

import argparse
import csv
import ipaddress
import itertools
import sys
from collections import Counter
from datetime import datetime, timedelta, timezone

COLUMNS = ["src_ip", "dst_ip", "src_port", "dst_port", "proto", "start", "end", "label", "detail"]
PROTOCOLS = {"tcp", "udp", "icmp", "ipv6-icmp", "sctp", "igmp", "gre", "esp", "ah"}
ARGUS_UDP = {"rtp", "rtcp", "udt"}  # what Argus calls UDP whose content it recognised
WITHOUT_PORTS = {"icmp", "ipv6-icmp", "igmp", "gre", "esp", "ah", "1", "2", "47", "50", "51", "58"}
PRAGUE_SUMMER = timezone(timedelta(hours=2))  # CTU-13 was captured in August 2011


class Skipped(str):
    """Stands for a row that no flow can match, and says why."""


def row(src, dst, sport, dport, proto, start, end, label, detail=""):
    """One label row, or why there is none. Protocols without ports get none, hexadecimal ports become decimal."""
    proto = proto.strip().lower()
    proto = "udp" if proto in ARGUS_UDP else proto
    if proto and proto not in PROTOCOLS and not proto.isdigit():
        return Skipped(f"protocol {proto}")
    try:
        for address in filter(None, (src, dst)):
            ipaddress.ip_address(address)
        ports = ("", "") if proto in WITHOUT_PORTS else (port(sport), port(dport))
    except ValueError:
        return Skipped("no IP address or no port")
    return [src, dst, *ports, proto, seconds(start), seconds(end), label, detail]


def port(text):
    text = str(text).strip()
    return "" if text in ("", "-") else str(int(text, 16 if text.lower().startswith("0x") else 10))


def seconds(time):
    return "" if time is None else f"{float(time):.6f}".rstrip("0").rstrip(".")


def rest_is_benign():
    """A row that fits everything: malicious rows and those that count for neither side win over it."""
    return ["", "", "", "", "", "", "", "benign", "rest"]


# Attack windows in the capture's own clock (UTC), as Liu et al. (CNS 2022) published them with their relabelling, to the
# second and outwards: source, destination, source port, destination port, start, end, label, attack.
OUTSIDE, GATE, WEB, UBUNTU12 = "205.174.165.73", "172.16.0.1", "192.168.10.50", "192.168.10.51"
LAN = "192.168.10."
CIC_IDS2017 = [
    (GATE, WEB, "", 21, 1499170672, 1499174417, "malicious", "ftp-patator"),
    (GATE, WEB, "", 22, 1499188141, 1499195060, "malicious", "ssh-patator"),
    (GATE, WEB, "", 80, 1499258926, 1499260237, "malicious", "dos-slowloris"),
    (GATE, WEB, "", 80, 1499260537, 1499261870, "malicious", "dos-slowhttptest"),
    (GATE, WEB, "", 80, 1499262203, 1499263642, "malicious", "dos-hulk"),
    (GATE, WEB, "", 80, 1499263803, 1499264409, "malicious", "dos-goldeneye"),
    (GATE, UBUNTU12, 45022, 444, 1499278335, 1499279564, "malicious", "heartbleed"),
    (GATE, WEB, "", 80, 1499343354, 1499343532, "attempted", "web-brute-force"),
    (GATE, WEB, "", 80, 1499343567, 1499346012, "malicious", "web-brute-force"),
    (GATE, WEB, "", 80, 1499346935, 1499348122, "malicious", "web-xss"),
    (GATE, WEB, "", 80, 1499348127, 1499348144, "attempted", "web-sql-injection"),
    (GATE, WEB, "", 80, 1499348145, 1499348576, "malicious", "web-sql-injection"),
    (LAN + "9", OUTSIDE, "", "", 1499361228, 1499361302, "attempted", "infiltration"),
    (LAN + "8", OUTSIDE, "", "", 1499361542, 1499366770, "malicious", "infiltration"),
    (LAN + "25", OUTSIDE, "", "", 1499363616, 1499371340, "malicious", "infiltration"),
    (GATE, UBUNTU12, 50122, "", 1499360431, 1499360446, "malicious", "infiltration-portscan"),
    (GATE, UBUNTU12, 50133, "", 1499360431, 1499360446, "malicious", "infiltration-portscan"),
    (LAN + "8", LAN + "5", "", "", 1499362410, 1499362445, "malicious", "infiltration-portscan"),
    *((LAN + "8", LAN + host, "", "", 1499364314, 1499366765, "malicious", "infiltration-portscan")
      for host in "5 9 12 14 15 16 17 19 25 50 51".split()),
    *((LAN + host, OUTSIDE, "", "", 1499432653, 1499436123, "malicious", "botnet") for host in "5 8 9 14 15".split()),
    *((LAN + host, OUTSIDE, "", "", 1499436180, 1499457685, "attempted", "botnet") for host in "5 8 9 14 15".split()),
    (GATE, WEB, "", "", 1499446532, 1499447949, "malicious", "portscan"),
    (GATE, WEB, "", "", 1499449905, 1499451842, "malicious", "portscan"),
    (GATE, WEB, "", "", 1499453791, 1499454973, "malicious", "ddos"),
]


def cic_ids2017(_args):
    for src, dst, sport, dport, start, end, label, attack in CIC_IDS2017:
        yield row(src, dst, sport, dport, "tcp" if sport or dport else "", start, end, label, attack)
    yield rest_is_benign()


def ctu_13(args):
    """Bidirectional flows of Argus as CSV. From-Botnet is malicious, From-Normal benign, all else counts for neither."""
    for record in records(args.inputs[0], ["StartTime", "Dur", "Proto", "SrcAddr", "Sport", "DstAddr", "Dport", "Label"]):
        flow = record["Label"].strip().removeprefix("flow=")
        start = datetime.strptime(record["StartTime"], "%Y/%m/%d %H:%M:%S.%f").replace(tzinfo=PRAGUE_SUMMER).timestamp()
        label, detail = "background", ""
        if flow.startswith("From-Botnet"):
            label, detail = "malicious", "c2" if "-CC" in flow else "spam" if "SPAM" in flow.upper() else "botnet"
        elif flow.startswith("From-Normal"):
            label = "benign"
        yield row(record["SrcAddr"], record["DstAddr"], record["Sport"], record["Dport"], record["Proto"], start,
                  start + float(record["Dur"]), label, detail)


def iot_23(args):
    """Zeek's conn.log whose last tab-separated field holds `tunnel_parents label detailed-label`, with spaces between."""
    wanted = ["ts", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "proto", "duration"]
    at = None
    for number, line in enumerate(open_text(args.inputs[0]), 1):
        fields = line.rstrip("\n").split("\t")
        if fields[0] == "#fields":
            names = fields[1:]
            if missing := [name for name in wanted if name not in names]:
                sys.exit(f"{args.inputs[0]}, line {number}: wanted the fields {missing}, got {names}")
            at = [names.index(name) for name in wanted]
        elif line.strip() and not line.startswith("#"):
            if at is None:
                sys.exit(f"{args.inputs[0]}, line {number}: wanted a line #fields before the first record")
            start, src, sport, dst, dport, proto, duration = (fields[i] for i in at)
            kind, detail = " ".join(fields[-3:]).split()[-2:]
            label = kind.lower() if kind.lower() in ("malicious", "benign") else "unlabelled"
            end = float(start) + (0 if duration == "-" else float(duration))
            yield row(src, dst, sport, dport, proto, start, end, label, "" if detail == "-" else detail)


def unsw_nb15(args):
    """The traffic generator's list of attacks; the attackers' other packets count for neither side, the rest is benign."""
    wanted = ["Start time", "Last time", "Attack category", "Protocol", "Source IP", "Source Port", "Destination IP",
              "Destination Port"]
    seen = set()
    for record in records(args.inputs[0], wanted, encoding="latin-1"):
        start, end, attack, proto, src, sport, dst, dport = (record[name].strip() for name in wanted)
        attack = {"Backdoor": "Backdoors"}.get(attack, attack).lower()
        made = row(src, dst, sport, dport, proto, float(start) - args.widen, float(end) + 1 + args.widen,
                   "malicious" if attack else "unlabelled", attack)
        if tuple(made) not in seen or isinstance(made, Skipped):
            yield made
        seen.add(tuple(made))
    for host in range(4):
        yield row(f"175.45.176.{host}", "", "", "", "", None, None, "unlabelled", "attacker")
    yield rest_is_benign()


def kitsune(args):
    """One label per packet becomes one row per conversation and run of equal labels. `packets.csv` is tshark's output:
    epoch, ip.src, ip.dst, ipv6.src, ipv6.dst, ip.proto, ipv6.nxt, tcp ports, udp ports (see datasets/PUBLIC.md)."""
    packets, labels = csv.reader(open_text(args.inputs[0])), packet_labels(args.inputs[1])
    runs = {}
    for number, (packet, label) in enumerate(itertools.zip_longest(packets, labels), 1):
        if packet is None or label is None:
            sys.exit(f"packet {number}: wanted as many labels as packets, got no {'packet' if packet is None else 'label'}")
        time, src4, dst4, src6, dst6, proto4, proto6, *ports = packet
        src, dst, proto = src4 or src6, dst4 or dst6, proto4 or proto6
        if not src:
            yield Skipped("no IP packet")
            continue
        sport, dport = (ports[0] or ports[2], ports[1] or ports[3])
        key = (*sorted([(src, sport), (dst, dport)]), proto)
        run = runs.get(key)
        if run and run[1] == label:
            run[2], run[3] = min(run[2], float(time)), max(run[3], float(time))
            continue
        if run:
            yield kitsune_row(run, args.attack)
        runs[key] = [(src, dst, sport, dport, proto), label, float(time), float(time)]
    for run in runs.values():
        yield kitsune_row(run, args.attack)


def kitsune_row(run, attack):
    ends, label, start, end = run
    return row(*ends, start, end, "malicious" if label == "1" else "benign", attack if label == "1" else "")


def packet_labels(path):
    """The last field of every line, which is 0 or 1; a heading is left out (Mirai's file has none)."""
    for fields in csv.reader(open_text(path)):
        if fields and fields[-1] in ("0", "1"):
            yield fields[-1]


def open_text(path, encoding="utf-8"):
    return path if not isinstance(path, str) else sys.stdin if path == "-" else open(path, encoding=encoding, newline="")


def records(path, wanted, encoding="utf-8"):
    """Records of a CSV file by column, after a look whether the columns that are needed are there."""
    reader = csv.DictReader(open_text(path, encoding), skipinitialspace=True)
    reader.fieldnames = [name.strip().lstrip("\ufeff") for name in reader.fieldnames or []]
    if missing := [name for name in wanted if name not in reader.fieldnames]:
        sys.exit(f"{path}, line 1: wanted the columns {missing}, got {reader.fieldnames}")
    return reader


def write(made, out):
    """Writes rows; returns what was written and skipped, and when the first attack began."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    counts, first = Counter(), None
    for item in made:
        if isinstance(item, Skipped):
            counts[f"skipped, {item}"] += 1
            continue
        writer.writerow(item)
        counts[item[7]] += 1
        if item[7] == "malicious":
            first = float(item[5]) if first is None else min(first, float(item[5]))
    return counts, first


SETS = {"cic-ids2017": (cic_ids2017, 0), "ctu-13": (ctu_13, 1), "iot-23": (iot_23, 1), "unsw-nb15": (unsw_nb15, 1),
        "kitsune": (kitsune, 2)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", nargs="?", choices=SETS)
    parser.add_argument("inputs", nargs="*", help="files; - is standard input")
    parser.add_argument("--attack", default="attack", help="name of the attack (kitsune)")
    parser.add_argument("--widen", type=float, default=0, metavar="S", help="seconds before and after an attack (unsw-nb15)")
    parser.add_argument("--self-test", action="store_true", help="try it on made-up rows")
    args = parser.parse_args()
    if args.self_test:
        return self_test()
    if not args.set or len(args.inputs) != SETS[args.set][1]:
        parser.error(f"wanted {SETS[args.set][1]} files" if args.set else "wanted the name of a set")
    counts, first = write(SETS[args.set][0](args), sys.stdout)
    print(*(f"{count:9} {what}" for what, count in counts.most_common()), sep="\n", file=sys.stderr)
    if first is not None:
        date = datetime.fromtimestamp(first, timezone.utc)
        print(f"first attack {seconds(first)} = {date:%Y-%m-%dT%H:%M:%SZ}", file=sys.stderr)
    return 0


def self_test():
    """Made-up rows in each set's format, and what should come of them."""
    def made(name, *texts, **options):
        args = argparse.Namespace(inputs=[text.splitlines(keepends=True) for text in texts], **options)
        return [item if isinstance(item, Skipped) else ",".join(item) for item in SETS[name][0](args)]

    def same(got, want):
        got = [f"skipped, {item}" if isinstance(item, Skipped) else item for item in got]
        assert got == want, f"wanted {want}, got {got}"

    head = "StartTime,Dur,Proto,SrcAddr,Sport,Dir,DstAddr,Dport,State,sTos,dTos,TotPkts,TotBytes,SrcBytes,Label\n"
    flow = "2011/08/10 10:00:00.500000,{},   ->,{},S_RA,0,0,4,276,156,flow={}\n".format
    same(made("ctu-13", head + flow("1.25,tcp,10.0.0.1,1577", "10.0.0.2,80", "From-Botnet-V42-TCP-CC6-HTTP")
              + flow("0.0,icmp,10.0.0.1,0x0008", "10.0.0.2,0x0000", "From-Normal-V42-ICMP")
              + flow("0.0,rtp,10.0.0.1,0x1F90", "10.0.0.2,53", "Background-UDP")
              + flow("0.0,arp,00:11:22:33:44:55,", "10.0.0.2,", "Background")),
         ["10.0.0.1,10.0.0.2,1577,80,tcp,1312963200.5,1312963201.75,malicious,c2",
          "10.0.0.1,10.0.0.2,,,icmp,1312963200.5,1312963200.5,benign,",
          "10.0.0.1,10.0.0.2,8080,53,udp,1312963200.5,1312963200.5,background,", "skipped, protocol arp"])

    head = "#separator \\x09\n#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\tduration" \
        "\ttunnel_parents   label   detailed-label\n#types\ttime\n"
    flow = "1540469302.5\tC1\t192.168.1.5\t5000\t10.0.0.9\t23\t{}\t-\t{}\n".format
    same(made("iot-23", head + flow("tcp", "3.5\t-   Malicious   PartOfAHorizontalPortScan")
              + flow("udp", "-\t(empty)   benign   -") + flow("tcp", "-\t-   Unknown   -") + "#close\n"),
         ["192.168.1.5,10.0.0.9,5000,23,tcp,1540469302.5,1540469306,malicious,PartOfAHorizontalPortScan",
          "192.168.1.5,10.0.0.9,5000,23,udp,1540469302.5,1540469302.5,benign,",
          "192.168.1.5,10.0.0.9,5000,23,tcp,1540469302.5,1540469302.5,unlabelled,"])

    head = "Start time,Last time,Attack category,Attack subcategory,Protocol,Source IP,Source Port,Destination IP," \
        "Destination Port,Attack Name,Attack Reference,.\n"
    flow = "1421927414,1421927416, {},HTTP,{},175.45.176.0,13284,149.171.126.16,80,Made up,-,.\n".format
    got = made("unsw-nb15", head + flow("Backdoor ", "tcp") * 2 + flow("Fuzzers", "ospf"), widen=60)
    same(got[:2], ["175.45.176.0,149.171.126.16,13284,80,tcp,1421927354,1421927477,malicious,backdoors",
                   "skipped, protocol ospf"])
    same(got[2:3] + got[-1:], ["175.45.176.0,,,,,,,unlabelled,attacker", ",,,,,,,benign,rest"])

    packets = "1.0,10.0.0.1,10.0.0.2,,,6,,1000,80,,\n2.0,10.0.0.2,10.0.0.1,,,6,,80,1000,,\n2.5,,,,,,,,,,\n" \
        "3.0,10.0.0.1,10.0.0.2,,,6,,1000,80,,\n4.0,,,fe80::1,fe80::2,,58,,,,\n"
    want = ["skipped, no IP packet", "10.0.0.1,10.0.0.2,1000,80,6,1,2,benign,", "10.0.0.1,10.0.0.2,1000,80,6,3,3,malicious,x",
            "fe80::1,fe80::2,,,58,4,4,benign,"]
    same(made("kitsune", packets, '"","x"\n"1",0\n"2",0\n"3",0\n"4",1\n"5",0\n', attack="x"), want)
    same(made("kitsune", packets, "0\n0\n0\n1\n0\n", attack="x"), want)

    windows = made("cic-ids2017")
    assert len(windows) == 43 and windows[-1] == ",,,,,,,benign,rest", len(windows)
    assert all(entry[4] < entry[5] for entry in CIC_IDS2017), "a window ends before it begins"
    print("self-test passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
