"""Who and where: recipients and their endpoints, stored encrypted and looked up by keyed hash.

Must not know what is sent.

Public: selectors, services, bodies (inline recipients), addresses (checks and hashes), forgetting (what else goes with a person),
rehashing (who else keeps address hashes), new_times (who else holds messages back until an hour).
"""
