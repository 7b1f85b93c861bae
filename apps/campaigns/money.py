"""Amounts as people read them. Pure; amounts are micros: millionths of a currency."""

from typing import Final

MICROS: Final = 1_000_000


def words(micros: int, currency: str) -> str:
    """`1,234.56 EUR`; what is less than a cent keeps the digits that tell it from nothing: `0.0004 EUR`."""
    if micros and abs(micros) < MICROS // 100:
        return f"{micros / MICROS:.6f}".rstrip("0") + f" {currency}"
    return f"{micros / MICROS:,.2f} {currency}"


def span(low: int, high: int, currency: str) -> str:
    """`12.00 to 15.50 EUR`, or one amount where both read the same."""
    first, last = words(low, currency), words(high, currency)
    return last if first == last else f"{first.removesuffix(f' {currency}')} to {last}"
