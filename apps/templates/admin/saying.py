"""What the pages say was done."""


def published(number: int, share: float) -> str:
    if share >= 100:
        return f"Version {number} is published: from now on it is what is sent."
    return f"Version {number} is published for {share:g} % of the people."
