//! Rows of a file or of standard input, read on a thread of their own: a pipe may be silent for as long as it likes.

use std::cell::RefCell;
use std::io::{self, Read};
use std::path::PathBuf;
use std::rc::Rc;

use tokio::sync::mpsc;

use super::{BadRow, Lanes, Taken, csv, jsonl};

/// How many rows are handed over at once, at the most, and how many bytes of them.
const CHUNK_ROWS: usize = 256;
const CHUNK_BYTES: usize = 256 * 1024;
/// How many such chunks may wait.
const CHUNKS: usize = 2;
/// API Gateway takes no request of more than 10 MB; some of that is the post around the row.
pub(super) const LONGEST_ROW: usize = 9_500_000;

/// How rows are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// A JSON value on each line.
    JsonLines,
    /// Comma-separated values, with a header.
    Csv {
        /// Whether each value is a text, also one that looks like a number.
        text: bool,
    },
}

/// Where rows are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// In a file.
    File(PathBuf),
    /// On standard input.
    Stdin,
}

/// A row that was read.
#[derive(Debug)]
pub(super) enum Row {
    Record { line: u64, key: Option<Vec<u8>>, value: Vec<u8> },
    Bad(BadRow),
}

impl Row {
    /// A bad row that is no JSON.
    pub(super) fn bad(line: u64, reason: impl Into<String>, raw: &[u8]) -> Self {
        let record = serde_json::Value::from(String::from_utf8_lossy(raw)).to_string().into_bytes();
        Self::Bad(BadRow { line, reason: reason.into(), record })
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Record { key, value, .. } => value.len() + key.as_ref().map_or(0, Vec::len),
            Self::Bad(BadRow { record, .. }) => record.len(),
        }
    }
}

/// Rows, in their order.
#[derive(Debug)]
pub struct Rows {
    chunks: mpsc::Receiver<io::Result<Vec<Row>>>,
    /// What has come and was not taken, the next one last.
    chunk: Vec<Row>,
    failure: Option<io::Error>,
    ended: bool,
}

impl Rows {
    /// Begins to read. With `key`, the field of that name is each record's key too.
    ///
    /// # Errors
    /// Where there is no such file, or its header can't be.
    pub fn open(input: &Input, form: Form, key: Option<String>) -> io::Result<Self> {
        let source: Box<dyn Read + Send> = match input {
            Input::File(path) => Box::new(std::fs::File::open(path)?),
            Input::Stdin => Box::new(io::stdin()),
        };
        Ok(Self::read(source, form, key))
    }

    fn read(source: Box<dyn Read + Send>, form: Form, key: Option<String>) -> Self {
        let (to, chunks) = mpsc::channel(CHUNKS);
        tokio::task::spawn_blocking(move || {
            let hand = Rc::new(RefCell::new(Hand { rows: Vec::new(), bytes: 0, to: to.clone() }));
            let source = Prompt { source, hand: Rc::clone(&hand) };
            let read = match form {
                Form::JsonLines => jsonl::read(source, key.as_deref(), |row| hand.borrow_mut().add(row)),
                Form::Csv { text } => csv::read(source, key.as_deref(), text, |row| hand.borrow_mut().add(row)),
            };
            let read = read.and_then(|()| hand.borrow_mut().over());
            if let Err(error) = read {
                // What came before it counts.
                let _ = hand.borrow_mut().over();
                let _ = to.blocking_send(Err(error));
            }
        });
        Self { chunks, chunk: Vec::new(), failure: None, ended: false }
    }

    pub(super) async fn ready(&mut self) {
        if !self.chunk.is_empty() || self.failure.is_some() || self.ended {
            return;
        }
        match self.chunks.recv().await {
            Some(Ok(mut rows)) => {
                rows.reverse();
                self.chunk = rows;
            }
            Some(Err(error)) => self.failure = Some(error),
            None => self.ended = true,
        }
    }

    pub(super) fn take(&mut self, lanes: &mut Lanes) -> Taken {
        match self.chunk.pop() {
            Some(Row::Record { line, key, value }) => {
                let bytes = value.len() + key.as_ref().map_or(0, Vec::len);
                lanes.write(0, line, key.as_deref(), bytes, |body| body.extend_from_slice(&value));
                Taken::Record(line)
            }
            Some(Row::Bad(bad)) => Taken::Bad(bad),
            None if self.ended => Taken::End,
            None => self.failure.take().map_or(Taken::Pending, |error| {
                self.ended = true;
                Taken::Failed(error)
            }),
        }
    }
}

/// Rows that were read, until there are enough of them, or nothing more to be had at once.
struct Hand {
    rows: Vec<Row>,
    bytes: usize,
    to: mpsc::Sender<io::Result<Vec<Row>>>,
}

impl Hand {
    fn add(&mut self, row: Row) -> io::Result<()> {
        self.bytes += row.bytes();
        self.rows.push(row);
        if self.rows.len() >= CHUNK_ROWS || self.bytes >= CHUNK_BYTES { self.over() } else { Ok(()) }
    }

    /// Hands over what there is.
    fn over(&mut self) -> io::Result<()> {
        let rows = std::mem::take(&mut self.rows);
        self.bytes = 0;
        if rows.is_empty() {
            return Ok(());
        }
        // Nobody takes them any more: the end of this thread, and of nothing else.
        self.to.blocking_send(Ok(rows)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

/// Reads, and hands over what was read before it may have to wait.
struct Prompt<R> {
    source: R,
    hand: Rc<RefCell<Hand>>,
}

impl<R: Read> Read for Prompt<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.hand.borrow_mut().over()?;
        self.source.read(buffer)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::io::Write;
    use std::time::Duration;

    use super::*;
    use crate::flow::lanes::Limits;

    fn lanes() -> Lanes {
        Lanes::new(["t".to_owned()], Limits { records: usize::MAX, bytes: usize::MAX, linger: Duration::ZERO })
    }

    async fn next(rows: &mut Rows, lanes: &mut Lanes) -> Taken {
        loop {
            match rows.take(lanes) {
                Taken::Pending => rows.ready().await,
                taken => return taken,
            }
        }
    }

    #[tokio::test]
    async fn a_row_comes_through_before_the_next_one_is_written() {
        for (form, header) in [(Form::JsonLines, ""), (Form::Csv { text: false }, "a\n")] {
            let (reader, mut writer) = io::pipe().unwrap();
            writer.write_all(header.as_bytes()).unwrap();
            let mut rows = Rows::read(Box::new(reader), form, None);
            let mut lanes = lanes();
            for number in 0..3 {
                writer.write_all(format!("{number}\n").as_bytes()).unwrap();
                let next = next(&mut rows, &mut lanes);
                let taken = tokio::time::timeout(Duration::from_secs(10), next).await.unwrap();
                assert!(matches!(taken, Taken::Record(_)), "{taken:?}");
            }
            drop(writer);
            assert!(matches!(next(&mut rows, &mut lanes).await, Taken::End));
        }
    }

    #[tokio::test]
    async fn many_rows_come_in_their_order() {
        let text: String = (0..5000).map(|number| format!("{{\"n\":{number}}}\n")).collect();
        let mut rows = Rows::read(Box::new(io::Cursor::new(text)), Form::JsonLines, Some("n".to_owned()));
        let mut lanes = lanes();
        while matches!(next(&mut rows, &mut lanes).await, Taken::Record(_)) {}
        lanes.close_all();
        let (_, batch) = lanes.next_ready().unwrap();
        let (body, records) = batch.close();
        assert_eq!(records.len(), 5000);
        assert!(records.places().map(|place| place.number).eq(1..=5000));
        assert!(body.starts_with(br#"{"records":[{"key":0,"value":{"n":0}},{"key":1,"value":{"n":1}},"#));
    }

    #[tokio::test]
    async fn what_breaks_off_is_told_after_what_came_before() {
        struct Breaking(bool);
        impl Read for Breaking {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                if std::mem::replace(&mut self.0, true) {
                    return Err(io::Error::other("the disk is gone"));
                }
                buffer[..2].copy_from_slice(b"1\n");
                Ok(2)
            }
        }
        let mut rows = Rows::read(Box::new(Breaking(false)), Form::JsonLines, None);
        let mut lanes = lanes();
        assert!(matches!(next(&mut rows, &mut lanes).await, Taken::Record(1)));
        assert!(
            matches!(next(&mut rows, &mut lanes).await, Taken::Failed(error) if error.to_string().contains("gone"))
        );
        assert!(matches!(next(&mut rows, &mut lanes).await, Taken::End));
    }
}
