"""A namespace with one person of every kind, made by `bond` as an administrator would."""
from dataclasses import dataclass


@dataclass
class House:
    """Who is who in one namespace."""
    server: object
    ns: str
    owner: object
    maintainer: object
    signer: object
    developer: object
    reader: object
    stranger: object
    robot: object
    deployer: object

    def client(self, who, **options):
        return self.server.client(getattr(self, who) if isinstance(who, str) else who, **options)

    def __getitem__(self, who):
        return self.client(who)


def make_house(server, ns):
    server.make_namespace(ns)
    people = {role: server.make_member(ns, f"{role}@{ns}.example", role) for role in ("owner", "maintainer", "developer", "reader")}
    return House(server=server, ns=ns, **people, signer=server.make_member(ns, f"signer@{ns}.example", "developer", signer=True),
                 stranger=server.make_user(f"stranger@{ns}.example"), robot=server.make_robot(ns, "ci", "pull,push"),
                 deployer=server.make_deployer(ns, "k8s"))
