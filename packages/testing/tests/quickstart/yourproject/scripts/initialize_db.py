"""`initialize_yourproject_db development.ini`: the first rows."""

import argparse
import sys

from pyramid.paster import bootstrap, setup_logging

from .. import models


def main(argv=sys.argv):
    parser = argparse.ArgumentParser()
    parser.add_argument("config_uri", help="ini file, e.g. development.ini")
    config_uri = parser.parse_args(argv[1:]).config_uri
    setup_logging(config_uri)
    with bootstrap(config_uri) as env, env["request"].tm:
        env["request"].dbsession.add(models.MyModel(name="one", value=1))
