//! The words of a name.

/// The words of a name in lower case: `SSM_DB_PASSWORD`, `ssm-db-password`, `ssmDbPassword` and `ssm.db.password` are alike.
pub(super) fn words_of(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut before = ' ';
    for c in name.chars() {
        let begins_word = !before.is_ascii_alphanumeric() || (before.is_ascii_lowercase() && c.is_ascii_uppercase());
        if c.is_ascii_alphanumeric() {
            let lower = c.to_ascii_lowercase();
            match words.last_mut() {
                Some(word) if !begins_word => word.push(lower),
                _ => words.push(lower.to_string()),
            }
        }
        before = c;
    }
    words
}
