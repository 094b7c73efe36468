//! Columns of text.

/// Which side of its column a cell leans to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Writes rows below the titles of their columns, two blanks between the columns and none at the ends of lines. What a client sent
/// must not reach the terminal's controls.
pub(super) fn table<const N: usize>(columns: [(&str, Side); N], rows: &[[String; N]]) -> String {
    let rows = rows
        .iter()
        .map(|row| row.each_ref().map(|cell| printable(cell)));
    let rows: Vec<[String; N]> = rows.collect();
    let mut widths = columns.map(|(title, _)| title.chars().count());
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: [&str; N]| -> String {
        let mut line = String::new();
        for ((cell, (_, side)), width) in cells.iter().zip(columns).zip(widths) {
            line += &match side {
                Side::Left => format!("{cell:<width$}  "),
                Side::Right => format!("{cell:>width$}  "),
            };
        }
        format!("{}\n", line.trim_end())
    };
    let titles = line(columns.map(|(title, _)| title));
    let rows = rows
        .iter()
        .map(|row| line(row.each_ref().map(String::as_str)));
    std::iter::once(titles).chain(rows).collect()
}

/// Replaces what moves a terminal's cursor, or worse.
pub(super) fn printable(text: &str) -> String {
    text.replace(char::is_control, "?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [
            ["www".to_owned(), "5".to_owned(), "x".to_owned()],
            ["größe".to_owned(), "12345".to_owned(), String::new()],
        ];
        let columns = [
            ("POOL", Side::Left),
            ("IDLE", Side::Right),
            ("END", Side::Left),
        ];
        let expected = "POOL    IDLE  END\nwww        5  x\ngröße  12345\n";
        assert_eq!(table(columns, &rows), expected);
    }

    #[test]
    fn what_clients_send_moves_no_cursor() {
        let rows = [["GET /\u{1b}[2J\r\u{9b}x\n".to_owned()]];
        let shown = table([("REQUEST", Side::Left)], &rows);
        assert_eq!(shown, "REQUEST\nGET /?[2J??x?\n");
    }
}
