"""Who and where: recipients and their endpoints, stored encrypted and looked up by keyed hash.

Must not know what is sent.
"""
