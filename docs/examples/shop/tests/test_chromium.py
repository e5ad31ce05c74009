"""The shop as people see it: in headless Chromium, over HTTP, with real commits.

What only a browser does is here: cookies as it keeps them, the back button, two devices of one person.

With a folder in the environment variable SHOP_SCREENSHOTS the tests leave pictures of some pages there; those
in the documentation are made so (SHOP_SCREENSHOTS=docs/images).
"""

import os
import shutil
import threading
from pathlib import Path
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait
from shop.seeds import DEMO_USERS

ADA, NOOR, PIM = DEMO_USERS

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
PATIENCE = 60
PICTURES = os.environ.get("SHOP_SCREENSHOTS")

pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="there is no Chromium with its driver (Debian: chromium-driver)"
)


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True  # a browser opens connections in advance, which say nothing


class Handler(WSGIRequestHandler):
    def log_message(self, *_):
        pass


def is_gone(element):
    """Return whether the page with the element was left; in the midst of that Chromium has several errors."""
    try:
        element.is_enabled()
    except WebDriverException:
        return True
    return False


class Device:
    """A browser of somebody's."""

    def __init__(self, driver, address):
        self.driver = driver
        self.address = address

    def open(self, path):
        self.driver.get(self.address + path)
        return self

    def find(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def find_all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def press(self, button):
        """Press a button that leads to another page; come back when that is there."""
        page = self.find("html")
        button.click()
        WebDriverWait(self.driver, PATIENCE).until(lambda _: is_gone(page))
        WebDriverWait(self.driver, PATIENCE).until(
            lambda driver: driver.execute_script("return document.readyState") == "complete"
        )

    def log_in(self, user=ADA):
        self.open("/login")
        self.find("#name").send_keys(user.name)
        self.find("#password").send_keys(user.password)
        self.press(self.find("#login button"))
        return self

    def photograph(self, name, height=620):
        """Leave a picture of the page, if anybody wants one."""
        if PICTURES:
            self.driver.set_window_size(900, height)
            self.driver.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
            assert self.driver.save_screenshot(str(Path(PICTURES) / f"{name}.png"))
            self.driver.set_window_size(1200, 900)

    @property
    def path(self):
        return self.driver.current_url.removeprefix(self.address)

    @property
    def who(self):
        """Whose name is at the top of the page."""
        names = self.find_all(".who span")
        return names[0].text if names else None

    @property
    def message(self):
        return self.find(".message").text

    @property
    def cookie(self):
        return self.driver.get_cookie("websession") or self.driver.get_cookie("websession-visitor")


@pytest.fixture
def address(shop):
    server = make_server("127.0.0.1", 0, shop, Server, Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def new_driver(tmp_path_factory):
    """What starts a browser with cookies of its own."""
    drivers = []
    # Chromium leaves folders behind.
    environment = {**os.environ, "TMPDIR": str(tmp_path_factory.mktemp("chromium"))}

    def start(profile=None):
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for argument in (
            "--headless=new",
            "--window-size=1200,900",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--no-proxy-server",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        ):
            options.add_argument(argument)
        if profile is not None:
            options.add_argument(f"--user-data-dir={profile}")
        if os.geteuid() == 0:
            options.add_argument("--no-sandbox")  # which Chromium cannot have as root
        drivers.append(webdriver.Chrome(options, webdriver.ChromeService(DRIVER, env=environment)))
        return drivers[-1]

    yield start
    for driver in drivers:
        driver.quit()


@pytest.fixture(scope="module")
def profile(tmp_path_factory):
    """Where the first browser keeps what it still has when it was closed."""
    return tmp_path_factory.mktemp("profile")


@pytest.fixture(scope="module")
def drivers(new_driver, profile):
    return [new_driver(profile), new_driver()]


@pytest.fixture
def devices(drivers, address):
    for driver in drivers:
        driver.get("about:blank")
        driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
    return [Device(driver, address) for driver in drivers]


@pytest.fixture
def device(devices):
    return devices[0]


def test_a_login_shows_who_it_is_and_keeps_the_cart(device):
    device.open("/products/round-teapot")
    device.press(device.find("#buy button"))
    before = device.cookie["value"]
    device.log_in()
    assert device.who == ADA.full_name
    assert device.find("#cart-count").text == "1"
    assert device.cookie["value"] != before


def test_scripts_do_not_see_the_cookie(device):
    device.log_in()
    assert device.cookie["httpOnly"]
    assert device.driver.execute_script("return document.cookie") == ""


def test_after_a_logout_the_back_button_shows_nothing_of_the_account(device):
    device.log_in().open("/orders")
    assert device.who == ADA.full_name
    device.press(device.find(".who button"))
    assert device.path == "/logged-out"
    assert device.cookie is None
    device.driver.back()
    WebDriverWait(device.driver, PATIENCE).until(lambda _: device.path.startswith("/login"))
    assert device.who is None


def test_two_browsers_are_two_people(devices):
    one, other = devices
    one.log_in(ADA)
    other.log_in(NOOR)
    assert one.open("/").who == ADA.full_name
    assert other.open("/").who == NOOR.full_name


def test_a_lost_phone_is_logged_out_from_another_device(devices):
    here, phone = (device.log_in() for device in devices)
    here.open("/devices")
    assert "This device" in here.find("#this-device").text
    assert "Chrome on Linux" in here.find("#this-device").text
    here.photograph("devices")
    (button,) = here.find_all("#devices tbody button")
    here.press(button)
    assert here.message == "That device is logged out."
    assert not here.find_all("#end-others")
    assert phone.open("/orders").path.startswith("/login")
    assert phone.who is None
    assert here.open("/").who == ADA.full_name


def test_all_other_devices_are_logged_out_at_once(devices):
    here, other = (device.log_in() for device in devices)
    here.open("/devices")
    here.press(here.find("#end-others button"))
    assert here.message == "One other device is logged out."
    assert len(here.find_all("#devices tbody tr")) == 1
    assert other.open("/").who is None
    assert here.open("/").who == ADA.full_name


def test_an_admin_ends_everybodys_sessions_but_their_own(devices):
    admin, customer = devices
    customer.log_in(ADA)
    admin.log_in(PIM).open("/admin")
    assert admin.find(f"#user-{ADA.name} .number").text == "1"
    admin.photograph("admin")
    admin.press(admin.find("#end-everybodys button"))
    assert admin.find(f"#user-{ADA.name} .number").text == "0"
    assert admin.who == PIM.full_name
    assert customer.open("/").who is None


def test_pages_fit_a_phone(devices):
    phone, other = devices
    other.log_in(PIM)
    phone.log_in(PIM)
    screen = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
    phone.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    try:
        for page in ("/devices", "/admin", "/"):
            phone.open(page)
            width = phone.driver.execute_script("return document.documentElement.scrollWidth")
            assert width <= 360, f"{page} wants to be scrolled sideways"
    finally:
        phone.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_an_order_survives_a_cold_form_and_breaks_in_one_piece(device):
    device.open("/products/round-teapot")
    device.press(device.find("#buy button"))
    device.open("/checkout/address")
    for field, text in {"name": "Ida Brenner", "street": "Lindenstraße 12", "postcode": "10115"}.items():
        device.find(f"#{field}").send_keys(text)
    device.find("#city").send_keys("Berlin")
    tab = device.driver.current_window_handle
    device.driver.switch_to.new_window("tab")
    device.log_in()
    device.driver.close()
    device.driver.switch_to.window(tab)
    device.press(device.find("#checkout button"))
    assert device.find("h1").text == "This form has gone cold"
    assert device.find("#street").get_attribute("value") == "Lindenstraße 12"
    device.press(device.find("#again button"))
    device.press(device.find("#checkout button"))
    cookie = device.cookie
    device.press(device.find("#break"))
    assert [cell.text for cell in device.find_all("#seen td")] == ["1", "0", "0", "1"]
    assert "POST /checkout/review" in device.find("#strip li").text
    assert "rolled back" in device.find("#strip li").text
    assert (device.cookie, device.find("#cart-count").text) == (cookie, "1")
    device.photograph("broken-order", height=920)


def test_a_cart_is_as_it_was_left_after_the_browser_was_closed(device, devices, drivers, new_driver, profile):
    device.open("/products/round-teapot")
    device.press(device.find("#buy button"))
    device.open("/")
    assert "come back: it will be as you left it" in device.find(".hero").text
    drivers[0].quit()
    drivers[0] = device.driver = new_driver(profile)
    assert device.open("/").find("#cart-count").text == "1"
