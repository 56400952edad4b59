//! Changes as they come: server-sent events (WHATWG HTML, 9.2).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{sleep, timeout};

use super::api::row;
use super::board::Shared;

/// Pieces that wait for a slow reader; what changes meanwhile is sent once, as it is by then.
const MOST_WAITING: usize = 2;
/// Incidents in a piece.
const AT_ONCE: usize = 100;
/// Pieces come at most this often.
const EVERY: Duration = Duration::from_millis(250);
/// A comment after so long a silence shows whether anybody still reads.
const SILENCE: Duration = Duration::from_secs(15);

/// Streams what changes after a version, until nobody reads or the server ends.
pub(super) fn begin(
    shared: &Arc<Shared>,
    after: Option<u64>,
    stop: watch::Receiver<bool>,
    permit: OwnedSemaphorePermit,
) -> Receiver<Bytes> {
    let (to, from) = channel(MOST_WAITING);
    tokio::spawn(send(Arc::clone(shared), after, to, stop, permit));
    from
}

async fn send(
    shared: Arc<Shared>,
    after: Option<u64>,
    to: Sender<Bytes>,
    mut stop: watch::Receiver<bool>,
    _permit: OwnedSemaphorePermit,
) {
    let mut changes = shared.changes();
    // After a restart versions begin anew: whoever saw a later one has seen nothing of these.
    let mut version = after.unwrap_or_else(|| shared.lock().incidents.version());
    if version > shared.lock().incidents.version() {
        version = 0;
    }
    let mut piece = String::from("retry: 2000\n\n");
    loop {
        changes.mark_unchanged();
        version = add_changes(&shared, version, &mut piece);
        if !piece.is_empty() && to.send(Bytes::from(std::mem::take(&mut piece))).await.is_err() {
            return;
        }
        let is_behind = shared.lock().incidents.version() > version;
        if !is_behind {
            let waited = tokio::select! {
                waited = timeout(SILENCE, changes.changed()) => waited,
                _ = stop.changed() => return,
                () = to.closed() => return,
            };
            if waited.is_err() {
                piece.push_str(": nothing new\n\n");
            }
        }
        sleep(EVERY).await;
    }
}

/// Adds the next changes, and returns the version of the last of them.
fn add_changes(shared: &Shared, version: u64, piece: &mut String) -> u64 {
    let board = shared.lock();
    let mut latest = version;
    for kept in board.incidents.since(version).take(AT_ONCE) {
        latest = kept.version;
        // JSON in one line holds no line end, so that nothing in it can begin another event.
        piece.push_str(&format!("event: incident\nid: {latest}\ndata: {}\n\n", row(&board, kept)));
    }
    if latest != version {
        let [high, medium, low] = board.open_by_severity();
        let counts = json!({"kept": board.incidents.len(), "gone": board.incidents.gone, "open": {"high": high, "medium": medium, "low": low}});
        piece.push_str(&format!("event: counts\ndata: {counts}\n\n"));
    }
    latest
}
