//! php-fpm.conf from text to typed, validated configuration.

#![forbid(unsafe_code)]
