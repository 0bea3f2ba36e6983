"""Hiding people in pictures before anything is made of them."""
