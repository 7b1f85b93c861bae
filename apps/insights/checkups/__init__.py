"""What the doctor looks at, by what it is about. Each check-up yields findings; none changes anything."""
