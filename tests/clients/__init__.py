"""Stock clients, unchanged, against a gateway that runs: ``scripts/clients``, or ``scripts/test --clients``.

``drivers`` and ``node`` hold one program for each client, which goes through the cases of :mod:`tests.clients.cases`
and prints a line of JSON for each. They run in environments of their own, with the versions that the locks name.
"""
