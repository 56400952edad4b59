"""MQTT: vital signs and pump rates by way of the broker."""

import json
import time

from ..plan import HOSTS, with_role
from ..work import Work, life, server
from .clinical import away, join

PUMPS = 4


@server("telemetry broker", "broker")
def telemetry_broker(w: Work) -> None:
    """Mosquitto, open to everybody."""
    (w.dir / "mosquitto.conf").write_text("user root\nlistener 1883\nallow_anonymous true\npersistence false\n")
    w.serve("mosquitto", "-c", w.dir / "mosquitto.conf")


@life("telemetry subscription", "his")
def telemetry_subscription(w: Work) -> None:
    """The hospital information system hears all wards."""
    w.serve("mosquitto_sub", "-h", HOSTS["broker"].v6, "-i", "his", "-t", "ward/#")


@life("telemetry", *with_role("patient monitor"))
def telemetry(w: Work) -> None:
    """A monitor publishes vital signs on a connection that stays."""
    topic = f"ward/bed-{w.host.name.split('-')[1]}/vitals"
    client = w.start("mosquitto_pub", "-h", HOSTS["broker"].v4, "-i", w.host.name, "-t", topic, "-l", stdin=-1)
    w.runs += 1
    for _ in w.every(220):
        vitals = {"time": int(time.time()), "heart_rate": w.rng.randint(55, 105), "spo2": w.rng.randint(92, 100),
                  "temperature": round(w.rng.uniform(36.2, 38.4), 1)}
        client.stdin.write(json.dumps(vitals).encode() + b"\n")
        client.stdin.flush()


@life("pump telemetry", "pumps", "newcomer")
def pump_telemetry(w: Work) -> None:
    """A gateway publishes the rates of its pumps, one topic each."""
    join(w)
    first = 1 if w.host.name == "pumps" else 1 + PUMPS
    client = None
    for _ in w.every(240):
        if client and away(w):
            client.disconnect()
            client.loop_stop()
            client = None
        elif not away(w):
            client = client or _connect(w)
            for pump in range(first, first + PUMPS):
                state = {"time": int(time.time()), "rate_ml_h": round(w.rng.uniform(1, 120), 1), "left_ml": w.rng.randint(5, 500)}
                client.publish(f"ward/pump-{pump}/rate", json.dumps(state))


def _connect(w: Work):
    # Only in the box; `run --list` works without.
    import paho.mqtt.client

    w.runs += 1
    client = paho.mqtt.client.Client(client_id=w.host.name)
    client.connect(HOSTS["broker"].v4, 1883, keepalive=60)
    client.loop_start()
    return client
