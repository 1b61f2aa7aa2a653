//! No text makes the reader panic or hang, and whatever it refuses it explains.

use super::{WHOLE, read};

/// A generator of numbers that are the same on every run.
struct Dice(u64);

impl Dice {
    /// A number below a bound, which is not 0.
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }
}

const PIECES: [&str; 30] = [
    "${",
    "}",
    "${user}",
    "$${",
    "{",
    "[",
    "]",
    ": ",
    "- ",
    "\n",
    "  ",
    "\t",
    "#",
    "&a ",
    "*a",
    "!!int ",
    "'",
    "\"",
    "|\n",
    "\u{0}",
    "\u{e9}",
    "\u{1f980}",
    "<<: ",
    "---\n",
    "99999999999999999999",
    "-1",
    "~",
    "arn:",
    "?",
    "%",
];

fn mutated(dice: &mut Dice) -> String {
    let mut text: Vec<char> = WHOLE.chars().collect();
    for _ in 0..=dice.below(4) {
        let at = dice.below(text.len());
        match dice.below(4) {
            0 => {
                let end = (at + 1 + dice.below(30)).min(text.len());
                text.drain(at..end);
            }
            1 => {
                let piece = PIECES[dice.below(PIECES.len())];
                text.splice(at..at, piece.chars());
            }
            2 => {
                let end = (at + 1 + dice.below(200)).min(text.len());
                let copy: Vec<char> = text[at..end].to_vec();
                let to = dice.below(text.len());
                text.splice(to..to, copy);
            }
            _ => {
                let piece = PIECES[dice.below(PIECES.len())];
                text.splice(at..=at, piece.chars());
            }
        }
        if text.is_empty() {
            break;
        }
    }
    text.into_iter().collect()
}

#[test]
fn no_mutation_panics_and_every_refusal_has_a_place() {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut refused = 0;
    for _ in 0..600 {
        let text = mutated(&mut dice);
        let lines = text.lines().count().max(1);
        if let Err(problems) = read(&text) {
            refused += 1;
            for problem in problems.iter() {
                assert!((1..=lines + 1).contains(&problem.line) && problem.column >= 1, "{problem}\n{text}");
                assert!(problem.message.contains(['?', ';', ':']), "no advice: {problem}");
                assert!(!problem.message.contains("please report"), "{problem}\n{text}");
            }
        }
    }
    assert!(refused > 200, "only {refused} of the mutations were refused");
}

#[test]
fn a_manifest_that_breaks_off_is_read() {
    for end in WHOLE.char_indices().map(|(index, _)| index).step_by(3) {
        let _ = read(&WHOLE[..end]);
    }
}

#[test]
fn aliases_of_aliases_are_cut_off() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..10 {
        let items = vec![format!("*a{}", level - 1); 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{items}]\n"));
    }
    assert!(read(&text).unwrap_err().to_string().contains("fewer aliases"));
}

#[test]
fn nesting_is_cut_off() {
    for open in ["[", "{a: ", "- "] {
        assert!(read(&open.repeat(100_000)).is_err());
    }
}
