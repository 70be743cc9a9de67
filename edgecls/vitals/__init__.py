"""Whether a run is alive and whether it is ready, for service managers, containers and load balancers."""

from edgecls.vitals.notify import Notifier as Notifier
from edgecls.vitals.vitals import Fault as Fault
from edgecls.vitals.vitals import Readiness as Readiness
from edgecls.vitals.vitals import Vitals as Vitals
