//! Stratum: how miners of coins get their work from a pool, a line of JSON at a time (as the mining programs speak it; there is no
//! standard).

use super::reader::holds;

/// Methods that a miner begins with, and those by which it goes on for hours: a connection may be older than the capture.
const METHODS: [&[u8]; 8] = [
    b"mining.subscribe",
    b"mining.authorize",
    b"mining.configure",
    b"eth_submitlogin",
    b"mining.notify",
    b"mining.set_difficulty",
    b"mining.submit",
    b"eth_submitwork",
];

/// Is this a message between a miner and its pool?
pub(super) fn is_message(payload: &[u8]) -> bool {
    let head = payload.get(..256).unwrap_or(payload);
    if !head.starts_with(b"{") || !holds(head, b"\"method\"") {
        return false;
    }
    let logs_in = || holds(head, b"\"login\"") && holds(head, b"\"pass\"");
    let gets_work = || holds(head, b"\"job\"") && holds(head, b"\"job_id\"") && holds(head, b"\"blob\"");
    let works = || holds(head, b"\"submit\"") && holds(head, b"\"nonce\"") || gets_work();
    METHODS.iter().any(|method| holds(head, method)) || logs_in() || works()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn miners_are_told_from_other_json() {
        assert!(is_message(br#"{"id":1,"method":"mining.subscribe","params":["miner/1.0"]}"#));
        assert!(is_message(br#"{"id":1,"jsonrpc":"2.0","method":"login","params":{"login":"x","pass":"y","agent":"z"}}"#));
        let job = br#"{"jsonrpc":"2.0","method":"job","params":{"blob":"1010","job_id":"246","target":"b88d0600"}}"#;
        let share = br#"{"id":7,"method":"submit","params":{"id":"a","job_id":"246","nonce":"5f","result":"00"}}"#;
        assert!(is_message(job) && is_message(share), "one that began before the capture");
        assert!(!is_message(br#"{"method":"job","params":{"job_id":"7","printer":"2"}}"#));
        assert!(!is_message(br#"{"id":1,"jsonrpc":"2.0","method":"eth_getBalance","params":[]}"#));
        assert!(!is_message(br#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"login":1}}"#));
        assert!(!is_message(b"GET / HTTP/1.1\r\n"));
    }
}
