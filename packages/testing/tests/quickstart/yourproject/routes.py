"""URLs of the project."""


def includeme(config):
    config.add_route("home", "/")
    config.add_route("visits", "/visits")
    config.add_route("visit", "/visit")
    config.add_route("visit_and_fail", "/visit-and-fail")
