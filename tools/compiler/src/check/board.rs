//! From the board's name to the board, and which of its UARTs carries the log.

use super::{FileError, Files, TEXT_BYTES_MAX, text};
use crate::board::{self, Board, Console, Wanted};
use crate::problem::show;
use crate::problem::{Code, Problem, Problems};
use crate::raw::config::Config;
use crate::raw::{check_name, parse, suggest};
use crate::source::Spanned;

/// The board that `config` names. `None` has been reported.
pub(super) fn read(config: &Config, files: &dyn Files, problems: &mut Problems) -> Option<Board> {
    let name = config.board.as_ref()?;
    let known = files.boards();
    if !known.contains(&name.value) {
        problems.add(unknown_board(name, &known));
        return None;
    }
    check_name("board", name, problems);
    let loaded = files.board(&name.value).map_err(|error| {
        let message = format!("the file of board `{}` cannot be read", name.value);
        let why = match error {
            FileError::TooLarge => format!("it is longer than {}", show::size(TEXT_BYTES_MAX)),
            error => error.to_string(),
        };
        problems.add(Problem::new(Code::BoardUnreadable, name.span, message).here(why));
    });
    let loaded = loaded.ok()?;
    if let Some(remark) = files.board_remark(&name.value) {
        problems.add(Problem::new(Code::BoardBeside, name.span, remark));
    }
    let source = text(&loaded.path.to_string_lossy(), loaded.bytes, problems)?;
    let file = problems.sources.add(source.clone());
    let node = parse(&source.text, file, problems)?;
    let variant_refused = config.refused.contains(&Config::VARIANT.name());
    board::read(file, &node, Wanted { name, variant: config.variant.as_ref(), variant_refused }, problems)
}

fn unknown_board(name: &Spanned<String>, known: &[String]) -> Problem {
    let help = match suggest(&name.value, known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("boards: {}", show::list(known)),
    };
    let message = format!("there is no board `{}`", name.value);
    Problem::new(Code::UnknownBoard, name.span, message).here("no folder of boards/").help(help)
}

/// The console that carries the log: the one that `log` names, else the board's first.
pub(super) fn console(config: &Config, board: &Board, problems: &mut Problems) -> Option<Console> {
    if config.refused.contains(&Config::LOG.name()) {
        return None;
    }
    let Some(log) = &config.log else {
        if board.consoles.is_empty() {
            let span = config.board.as_ref()?.span;
            let message = format!("board `{}` has no UART that can carry the log", board.name);
            problems.add(Problem::new(Code::UnknownConsole, span, message).help("name one in the board's `consoles`"));
        }
        return board.consoles.first().cloned();
    };
    let found = board.consoles.iter().find(|console| console.device == log.value).cloned();
    if found.is_none() {
        let names: Vec<_> = board.consoles.iter().map(|console| console.device.clone()).collect();
        let message = format!("`{}` cannot carry the log of board `{}`", log.value, board.name);
        let problem = Problem::new(Code::UnknownConsole, log.span, message).here("none of the board's consoles");
        problems.add(problem.help(format!("its consoles: {}", show::list(&names))));
    }
    found
}
