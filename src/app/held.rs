//! Messages that do not fit one payload.

/// Longest message that is put together, in bytes: a hello with post-quantum keys takes 2 KB, a chain of certificates 3 to 8.
pub(super) const MOST_HELD_BYTES: usize = 16 << 10;

/// The start of a message, held until its rest has come or it turns out too long. Nothing is held of a message that is whole.
#[derive(Clone, Debug, Default)]
pub(super) struct Held {
    bytes: Vec<u8>,
    /// Is `bytes` a message that was handed out whole, to be dropped with the next payload?
    spent: bool,
}

/// What is known of a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Message<'a> {
    /// All of it, and whatever came behind it.
    Whole(&'a [u8]),
    /// Its start; the rest is to come.
    Part,
    /// It does not start here, is too long, or cannot be held.
    Lost,
}

impl Held {
    /// Bytes held at the moment.
    pub fn len(&self) -> usize {
        self.bytes.capacity()
    }

    /// Is a message waiting for its rest?
    pub fn is_waiting(&self) -> bool {
        !self.spent && !self.bytes.is_empty()
    }

    /// The start of the message that is waiting for its rest.
    pub fn waiting(&self) -> &[u8] {
        if self.spent { &[] } else { &self.bytes }
    }

    /// Lets go of what is held.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Holds these bytes too, whatever they are. Returns whether there was room.
    pub fn keep(&mut self, bytes: &[u8]) -> bool {
        let has_room = self.bytes.len() + bytes.len() <= MOST_HELD_BYTES;
        if has_room {
            self.bytes.extend_from_slice(bytes);
        }
        has_room
    }

    /// What is held at the moment.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The message that began earlier or begins with `payload`. `needed` says how many bytes from its start on it takes, as far as can be
    /// told from the bytes so far (with too few to tell, any number beyond them), or nothing when no message starts so. With
    /// `may_hold` false only a message within one payload is found.
    pub fn message<'a>(
        &'a mut self,
        payload: &'a [u8],
        may_hold: bool,
        needed: impl FnOnce(&[u8]) -> Option<usize>,
    ) -> Message<'a> {
        if self.spent {
            self.clear();
        }
        if self.bytes.is_empty() {
            match needed(payload) {
                Some(bytes) if bytes <= payload.len() => return Message::Whole(payload),
                Some(bytes) if may_hold && bytes <= MOST_HELD_BYTES => self.bytes = payload.to_vec(),
                _ => return Message::Lost,
            }
            return Message::Part;
        }
        let room = MOST_HELD_BYTES.saturating_sub(self.bytes.len());
        self.bytes.extend_from_slice(payload.get(..room).unwrap_or(payload));
        match needed(&self.bytes) {
            Some(bytes) if bytes <= self.bytes.len() => {
                self.spent = true;
                Message::Whole(&self.bytes)
            }
            Some(bytes) if may_hold && bytes <= MOST_HELD_BYTES => Message::Part,
            _ => {
                self.clear();
                Message::Lost
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Messages whose first two bytes are their length.
    fn needed(bytes: &[u8]) -> Option<usize> {
        match bytes {
            [0xff, ..] => None,
            [high, low, ..] => Some(usize::from(u16::from_be_bytes([*high, *low]))),
            _ => Some(2),
        }
    }

    #[test]
    fn a_message_is_put_together_and_let_go() {
        let mut held = Held::default();
        assert_eq!(held.message(&[0, 3, 9, 7], true, needed), Message::Whole(&[0, 3, 9, 7]));
        assert_eq!(held.len(), 0, "what is whole is not held");
        assert_eq!(held.message(&[0], true, needed), Message::Part);
        assert_eq!(held.message(&[5, 1, 2], true, needed), Message::Part);
        assert!(held.is_waiting());
        assert_eq!(held.message(&[3], true, needed), Message::Whole(&[0, 5, 1, 2, 3]));
        assert!(!held.is_waiting());
        assert_eq!(held.message(&[0, 2], true, needed), Message::Whole(&[0, 2]));
        assert_eq!(held.len(), 0);
    }

    #[test]
    fn nothing_is_held_that_is_no_message_or_too_long_or_has_no_room() {
        let mut held = Held::default();
        assert_eq!(held.message(&[0xff, 0], true, needed), Message::Lost);
        assert_eq!(held.message(&[0x7f, 0xff], true, needed), Message::Lost);
        assert_eq!(held.message(&[0, 9], false, needed), Message::Lost);
        assert_eq!(held.message(&[0x30], true, needed), Message::Part);
        assert_eq!(held.message(&[0x00; 9000], true, needed), Message::Part);
        assert_eq!(held.message(&[0x00; 100], false, needed), Message::Lost);
        assert_eq!(held.len(), 0);
    }
}
