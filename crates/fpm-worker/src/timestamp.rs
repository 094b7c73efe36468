//! A moment as status pages and access logs write it: `21/Nov/2026:10:19:33 +0000`.
//!
//! The names of the months are English whatever locale a script has set; log analysers know no others.

use fpm_os::clock::LocalTime;

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Formats `time` as strftime(3) does with `%d/%b/%Y:%H:%M:%S %z`.
pub(crate) fn timestamp(time: &LocalTime) -> String {
    let month = usize::from(time.month).saturating_sub(1);
    let offset = time.utc_offset.unsigned_abs() / 60;
    format!(
        "{:02}/{}/{}:{:02}:{:02}:{:02} {}{:02}{:02}",
        time.day,
        MONTHS[month.min(11)],
        time.year,
        time.hour,
        time.minute,
        time.second,
        if time.utc_offset < 0 { '-' } else { '+' },
        offset / 60,
        offset % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_and_padding() {
        let time = |month, utc_offset| LocalTime {
            year: 2026,
            month,
            day: 1,
            hour: 2,
            minute: 3,
            second: 60,
            utc_offset,
        };
        for (time, text) in [
            (time(1, 0), "01/Jan/2026:02:03:60 +0000"),
            (time(12, 19_800), "01/Dec/2026:02:03:60 +0530"),
            (time(5, -12_600), "01/May/2026:02:03:60 -0330"),
        ] {
            assert_eq!(timestamp(&time), text);
        }
    }
}
