"""Files of people: taken in as a stream, checked as a whole, written in pages that commit with their cursor.

intake: bytes -> sealed chunks. fields, guessing: columns -> fields. reading, rows: chunks -> checked rows. staging: all rows of a file in
a table of their own. writing: staged rows -> people. working: who does what, under a lease. services, answers: for the doors.
"""
