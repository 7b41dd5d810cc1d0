/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Time zones by the name Windows gives them and by the names of the IANA data
 * base, in both directions.
 *
 * Source of the pairs: Unicode CLDR, supplemental/windowsZones.xml (42, with
 * the Mexican zones of 2022 as CLDR has them since), for every zone and link
 * of tzdata.  A Windows name stands for the zone CLDR lists for territory 001,
 * in its present spelling.  The index is what sysprep.inf of XP and 2003 takes
 * ("Time Zone Index Values", Microsoft); -1 where those systems know no such
 * zone.
 */

#include <config.h>

#include <string.h>
#include <strings.h>

#include "inject/time-zones.h"

/* The table is long and regular. */
/* clang-format off */
static const struct v2v_time_zone zones[] = {
  { "AUS Central Standard Time", 245, "Australia/Darwin",
    "Australia/North" },
  { "AUS Eastern Standard Time", 255, "Australia/Sydney",
    "Australia/ACT Australia/Canberra Australia/Melbourne Australia/NSW "
    "Australia/Victoria" },
  { "Afghanistan Standard Time", 175, "Asia/Kabul",
    "" },
  { "Alaskan Standard Time", 3, "America/Anchorage",
    "America/Juneau America/Metlakatla America/Nome America/Sitka "
    "America/Yakutat US/Alaska" },
  { "Aleutian Standard Time", -1, "America/Adak",
    "America/Atka US/Aleutian" },
  { "Altai Standard Time", -1, "Asia/Barnaul",
    "" },
  { "Arab Standard Time", 150, "Asia/Riyadh",
    "Asia/Aden Asia/Bahrain Asia/Kuwait Asia/Qatar" },
  { "Arabian Standard Time", 165, "Asia/Dubai",
    "Asia/Muscat Etc/GMT-4" },
  { "Arabic Standard Time", 158, "Asia/Baghdad",
    "" },
  { "Argentina Standard Time", -1, "America/Argentina/Buenos_Aires",
    "America/Argentina/Catamarca America/Argentina/ComodRivadavia "
    "America/Argentina/Cordoba America/Argentina/Jujuy "
    "America/Argentina/La_Rioja America/Argentina/Mendoza "
    "America/Argentina/Rio_Gallegos America/Argentina/Salta "
    "America/Argentina/San_Juan America/Argentina/San_Luis "
    "America/Argentina/Tucuman America/Argentina/Ushuaia "
    "America/Buenos_Aires America/Catamarca America/Cordoba "
    "America/Jujuy America/Mendoza America/Rosario" },
  { "Astrakhan Standard Time", -1, "Europe/Astrakhan",
    "Europe/Ulyanovsk" },
  { "Atlantic Standard Time", 50, "America/Halifax",
    "America/Glace_Bay America/Goose_Bay America/Moncton America/Thule "
    "Atlantic/Bermuda Canada/Atlantic" },
  { "Aus Central W. Standard Time", -1, "Australia/Eucla",
    "" },
  { "Azerbaijan Standard Time", -1, "Asia/Baku",
    "" },
  { "Azores Standard Time", 80, "Atlantic/Azores",
    "America/Scoresbysund" },
  { "Bahia Standard Time", -1, "America/Bahia",
    "" },
  { "Bangladesh Standard Time", -1, "Asia/Dhaka",
    "Asia/Dacca Asia/Thimbu Asia/Thimphu" },
  { "Belarus Standard Time", -1, "Europe/Minsk",
    "" },
  { "Bougainville Standard Time", -1, "Pacific/Bougainville",
    "" },
  { "Canada Central Standard Time", 25, "America/Regina",
    "America/Swift_Current Canada/Saskatchewan" },
  { "Cape Verde Standard Time", 83, "Atlantic/Cape_Verde",
    "Etc/GMT+1" },
  { "Caucasus Standard Time", 170, "Asia/Yerevan",
    "" },
  { "Cen. Australia Standard Time", 250, "Australia/Adelaide",
    "Australia/Broken_Hill Australia/South Australia/Yancowinna" },
  { "Central America Standard Time", 33, "America/Guatemala",
    "America/Belize America/Costa_Rica America/El_Salvador "
    "America/Managua America/Tegucigalpa Etc/GMT+6 Pacific/Galapagos" },
  { "Central Asia Standard Time", 195, "Asia/Almaty",
    "Antarctica/Vostok Asia/Bishkek Asia/Kashgar Asia/Qostanay "
    "Asia/Urumqi Etc/GMT-6 Indian/Chagos" },
  { "Central Brazilian Standard Time", -1, "America/Cuiaba",
    "America/Campo_Grande" },
  { "Central Europe Standard Time", 95, "Europe/Budapest",
    "Europe/Belgrade Europe/Bratislava Europe/Ljubljana "
    "Europe/Podgorica Europe/Prague Europe/Tirane" },
  { "Central European Standard Time", 100, "Europe/Warsaw",
    "Europe/Sarajevo Europe/Skopje Europe/Zagreb Poland" },
  { "Central Pacific Standard Time", 280, "Pacific/Guadalcanal",
    "Antarctica/Casey Etc/GMT-11 Pacific/Efate Pacific/Kosrae "
    "Pacific/Noumea Pacific/Pohnpei Pacific/Ponape" },
  { "Central Standard Time", 20, "America/Chicago",
    "America/Indiana/Knox America/Indiana/Tell_City America/Knox_IN "
    "America/Matamoros America/Menominee America/North_Dakota/Beulah "
    "America/North_Dakota/Center America/North_Dakota/New_Salem "
    "America/Ojinaga America/Rainy_River America/Rankin_Inlet "
    "America/Resolute America/Winnipeg CST6CDT Canada/Central "
    "US/Central US/Indiana-Starke" },
  { "Central Standard Time (Mexico)", 30, "America/Mexico_City",
    "America/Bahia_Banderas America/Chihuahua America/Merida "
    "America/Monterrey Mexico/General" },
  { "Chatham Islands Standard Time", -1, "Pacific/Chatham",
    "NZ-CHAT" },
  { "China Standard Time", 210, "Asia/Shanghai",
    "Asia/Chongqing Asia/Chungking Asia/Harbin Asia/Hong_Kong "
    "Asia/Macao Asia/Macau Hongkong PRC" },
  { "Cuba Standard Time", -1, "America/Havana",
    "Cuba" },
  { "Dateline Standard Time", 0, "Etc/GMT+12",
    "" },
  { "E. Africa Standard Time", 155, "Africa/Nairobi",
    "Africa/Addis_Ababa Africa/Asmara Africa/Asmera "
    "Africa/Dar_es_Salaam Africa/Djibouti Africa/Kampala "
    "Africa/Mogadishu Antarctica/Syowa Etc/GMT-3 Indian/Antananarivo "
    "Indian/Comoro Indian/Mayotte" },
  { "E. Australia Standard Time", 260, "Australia/Brisbane",
    "Australia/Lindeman Australia/Queensland" },
  { "E. Europe Standard Time", 115, "Europe/Chisinau",
    "Europe/Tiraspol" },
  { "E. South America Standard Time", 65, "America/Sao_Paulo",
    "Brazil/East" },
  { "Easter Island Standard Time", -1, "Pacific/Easter",
    "Chile/EasterIsland" },
  { "Eastern Standard Time", 35, "America/New_York",
    "America/Detroit America/Indiana/Petersburg "
    "America/Indiana/Vincennes America/Indiana/Winamac America/Iqaluit "
    "America/Kentucky/Louisville America/Kentucky/Monticello "
    "America/Louisville America/Montreal America/Nassau America/Nipigon "
    "America/Pangnirtung America/Thunder_Bay America/Toronto "
    "Canada/Eastern EST5EDT US/Eastern US/Michigan" },
  { "Eastern Standard Time (Mexico)", -1, "America/Cancun",
    "" },
  { "Egypt Standard Time", 120, "Africa/Cairo",
    "Egypt" },
  { "Ekaterinburg Standard Time", 180, "Asia/Yekaterinburg",
    "" },
  { "FLE Standard Time", 125, "Europe/Kiev",
    "Europe/Helsinki Europe/Kyiv Europe/Mariehamn Europe/Riga "
    "Europe/Sofia Europe/Tallinn Europe/Uzhgorod Europe/Vilnius "
    "Europe/Zaporozhye" },
  { "Fiji Standard Time", 285, "Pacific/Fiji",
    "" },
  { "GMT Standard Time", 85, "Europe/London",
    "Atlantic/Canary Atlantic/Faeroe Atlantic/Faroe Atlantic/Madeira "
    "Eire Europe/Belfast Europe/Dublin Europe/Guernsey "
    "Europe/Isle_of_Man Europe/Jersey Europe/Lisbon GB GB-Eire Portugal" },
  { "GTB Standard Time", 130, "Europe/Bucharest",
    "Asia/Famagusta Asia/Nicosia Europe/Athens Europe/Nicosia" },
  { "Georgian Standard Time", -1, "Asia/Tbilisi",
    "" },
  { "Greenland Standard Time", 73, "America/Nuuk",
    "America/Godthab" },
  { "Greenwich Standard Time", 90, "Atlantic/Reykjavik",
    "Africa/Abidjan Africa/Accra Africa/Bamako Africa/Banjul "
    "Africa/Bissau Africa/Conakry Africa/Dakar Africa/Freetown "
    "Africa/Lome Africa/Monrovia Africa/Nouakchott Africa/Ouagadougou "
    "Africa/Timbuktu America/Danmarkshavn Atlantic/St_Helena Iceland" },
  { "Haiti Standard Time", -1, "America/Port-au-Prince",
    "" },
  { "Hawaiian Standard Time", 2, "Pacific/Honolulu",
    "Etc/GMT+10 HST Pacific/Johnston Pacific/Rarotonga Pacific/Tahiti "
    "US/Hawaii" },
  { "India Standard Time", 190, "Asia/Kolkata",
    "Asia/Calcutta" },
  { "Iran Standard Time", 160, "Asia/Tehran",
    "Iran" },
  { "Israel Standard Time", 135, "Asia/Jerusalem",
    "Asia/Tel_Aviv Israel" },
  { "Jordan Standard Time", -1, "Asia/Amman",
    "" },
  { "Kaliningrad Standard Time", -1, "Europe/Kaliningrad",
    "" },
  { "Korea Standard Time", 230, "Asia/Seoul",
    "ROK" },
  { "Libya Standard Time", -1, "Africa/Tripoli",
    "Libya" },
  { "Line Islands Standard Time", -1, "Pacific/Kiritimati",
    "Etc/GMT-14" },
  { "Lord Howe Standard Time", -1, "Australia/Lord_Howe",
    "Australia/LHI" },
  { "Magadan Standard Time", -1, "Asia/Magadan",
    "" },
  { "Magallanes Standard Time", -1, "America/Punta_Arenas",
    "" },
  { "Marquesas Standard Time", -1, "Pacific/Marquesas",
    "" },
  { "Mauritius Standard Time", -1, "Indian/Mauritius",
    "Indian/Mahe Indian/Reunion" },
  { "Middle East Standard Time", -1, "Asia/Beirut",
    "" },
  { "Montevideo Standard Time", -1, "America/Montevideo",
    "" },
  { "Morocco Standard Time", -1, "Africa/Casablanca",
    "Africa/El_Aaiun" },
  { "Mountain Standard Time", 10, "America/Denver",
    "America/Boise America/Cambridge_Bay America/Ciudad_Juarez "
    "America/Edmonton America/Inuvik America/Shiprock "
    "America/Yellowknife Canada/Mountain MST7MDT Navajo US/Mountain" },
  { "Mountain Standard Time (Mexico)", 13, "America/Mazatlan",
    "Mexico/BajaSur" },
  { "Myanmar Standard Time", 203, "Asia/Yangon",
    "Asia/Rangoon Indian/Cocos" },
  { "N. Central Asia Standard Time", 201, "Asia/Novosibirsk",
    "" },
  { "Namibia Standard Time", -1, "Africa/Windhoek",
    "" },
  { "Nepal Standard Time", 193, "Asia/Kathmandu",
    "Asia/Katmandu" },
  { "New Zealand Standard Time", 290, "Pacific/Auckland",
    "Antarctica/McMurdo Antarctica/South_Pole NZ" },
  { "Newfoundland Standard Time", 60, "America/St_Johns",
    "Canada/Newfoundland" },
  { "Norfolk Standard Time", -1, "Pacific/Norfolk",
    "" },
  { "North Asia East Standard Time", 227, "Asia/Irkutsk",
    "" },
  { "North Asia Standard Time", 207, "Asia/Krasnoyarsk",
    "Asia/Novokuznetsk" },
  { "North Korea Standard Time", -1, "Asia/Pyongyang",
    "" },
  { "Omsk Standard Time", -1, "Asia/Omsk",
    "" },
  { "Pacific SA Standard Time", 56, "America/Santiago",
    "Chile/Continental" },
  { "Pacific Standard Time", 4, "America/Los_Angeles",
    "America/Vancouver Canada/Pacific PST8PDT US/Pacific" },
  { "Pacific Standard Time (Mexico)", -1, "America/Tijuana",
    "America/Ensenada America/Santa_Isabel Mexico/BajaNorte" },
  { "Pakistan Standard Time", -1, "Asia/Karachi",
    "" },
  { "Paraguay Standard Time", -1, "America/Asuncion",
    "" },
  { "Qyzylorda Standard Time", -1, "Asia/Qyzylorda",
    "" },
  { "Romance Standard Time", 105, "Europe/Paris",
    "Africa/Ceuta Europe/Brussels Europe/Copenhagen Europe/Madrid" },
  { "Russia Time Zone 10", -1, "Asia/Srednekolymsk",
    "" },
  { "Russia Time Zone 11", -1, "Asia/Kamchatka",
    "Asia/Anadyr" },
  { "Russia Time Zone 3", -1, "Europe/Samara",
    "" },
  { "Russian Standard Time", 145, "Europe/Moscow",
    "Europe/Kirov Europe/Simferopol W-SU" },
  { "SA Eastern Standard Time", 70, "America/Cayenne",
    "America/Belem America/Fortaleza America/Maceio America/Paramaribo "
    "America/Recife America/Santarem Antarctica/Palmer "
    "Antarctica/Rothera Atlantic/Stanley Etc/GMT+3" },
  { "SA Pacific Standard Time", 45, "America/Bogota",
    "America/Atikokan America/Cayman America/Coral_Harbour "
    "America/Eirunepe America/Guayaquil America/Jamaica America/Lima "
    "America/Panama America/Porto_Acre America/Rio_Branco Brazil/Acre "
    "EST Etc/GMT+5 Jamaica" },
  { "SA Western Standard Time", 55, "America/La_Paz",
    "America/Anguilla America/Antigua America/Aruba America/Barbados "
    "America/Blanc-Sablon America/Boa_Vista America/Curacao "
    "America/Dominica America/Grenada America/Guadeloupe America/Guyana "
    "America/Kralendijk America/Lower_Princes America/Manaus "
    "America/Marigot America/Martinique America/Montserrat "
    "America/Port_of_Spain America/Porto_Velho America/Puerto_Rico "
    "America/Santo_Domingo America/St_Barthelemy America/St_Kitts "
    "America/St_Lucia America/St_Thomas America/St_Vincent "
    "America/Tortola America/Virgin Brazil/West Etc/GMT+4" },
  { "SE Asia Standard Time", 205, "Asia/Bangkok",
    "Antarctica/Davis Asia/Ho_Chi_Minh Asia/Jakarta Asia/Phnom_Penh "
    "Asia/Pontianak Asia/Saigon Asia/Vientiane Etc/GMT-7 "
    "Indian/Christmas" },
  { "Saint Pierre Standard Time", -1, "America/Miquelon",
    "" },
  { "Sakhalin Standard Time", -1, "Asia/Sakhalin",
    "" },
  { "Samoa Standard Time", 1, "Pacific/Apia",
    "" },
  { "Sao Tome Standard Time", -1, "Africa/Sao_Tome",
    "" },
  { "Saratov Standard Time", -1, "Europe/Saratov",
    "" },
  { "Singapore Standard Time", 215, "Asia/Singapore",
    "Asia/Brunei Asia/Kuala_Lumpur Asia/Kuching Asia/Makassar "
    "Asia/Manila Asia/Ujung_Pandang Etc/GMT-8 Singapore" },
  { "South Africa Standard Time", 140, "Africa/Johannesburg",
    "Africa/Blantyre Africa/Bujumbura Africa/Gaborone Africa/Harare "
    "Africa/Kigali Africa/Lubumbashi Africa/Lusaka Africa/Maputo "
    "Africa/Maseru Africa/Mbabane Etc/GMT-2" },
  { "South Sudan Standard Time", -1, "Africa/Juba",
    "" },
  { "Sri Lanka Standard Time", 200, "Asia/Colombo",
    "" },
  { "Sudan Standard Time", -1, "Africa/Khartoum",
    "" },
  { "Syria Standard Time", -1, "Asia/Damascus",
    "" },
  { "Taipei Standard Time", 220, "Asia/Taipei",
    "ROC" },
  { "Tasmania Standard Time", 265, "Australia/Hobart",
    "Antarctica/Macquarie Australia/Currie Australia/Tasmania" },
  { "Tocantins Standard Time", -1, "America/Araguaina",
    "" },
  { "Tokyo Standard Time", 235, "Asia/Tokyo",
    "Asia/Dili Asia/Jayapura Etc/GMT-9 Japan Pacific/Palau" },
  { "Tomsk Standard Time", -1, "Asia/Tomsk",
    "" },
  { "Tonga Standard Time", 300, "Pacific/Tongatapu",
    "" },
  { "Transbaikal Standard Time", -1, "Asia/Chita",
    "" },
  { "Turkey Standard Time", -1, "Europe/Istanbul",
    "Asia/Istanbul Turkey" },
  { "Turks And Caicos Standard Time", -1, "America/Grand_Turk",
    "" },
  { "US Eastern Standard Time", 40, "America/Indiana/Indianapolis",
    "America/Fort_Wayne America/Indiana/Marengo America/Indiana/Vevay "
    "America/Indianapolis US/East-Indiana" },
  { "US Mountain Standard Time", 15, "America/Phoenix",
    "America/Creston America/Dawson_Creek America/Fort_Nelson "
    "America/Hermosillo Etc/GMT+7 MST US/Arizona" },
  { "UTC", 90, "Etc/UTC",
    "Etc/GMT Etc/GMT+0 Etc/GMT-0 Etc/GMT0 Etc/Greenwich Etc/UCT "
    "Etc/Universal Etc/Zulu GMT GMT+0 GMT-0 GMT0 Greenwich UCT UTC "
    "Universal Zulu" },
  { "UTC+12", -1, "Etc/GMT-12",
    "Kwajalein Pacific/Funafuti Pacific/Kwajalein Pacific/Majuro "
    "Pacific/Nauru Pacific/Tarawa Pacific/Wake Pacific/Wallis" },
  { "UTC+13", -1, "Etc/GMT-13",
    "Pacific/Enderbury Pacific/Fakaofo Pacific/Kanton" },
  { "UTC-02", -1, "Etc/GMT+2",
    "America/Noronha Atlantic/South_Georgia Brazil/DeNoronha" },
  { "UTC-08", -1, "Etc/GMT+8",
    "Pacific/Pitcairn" },
  { "UTC-09", -1, "Etc/GMT+9",
    "Pacific/Gambier" },
  { "UTC-11", -1, "Etc/GMT+11",
    "Pacific/Midway Pacific/Niue Pacific/Pago_Pago Pacific/Samoa "
    "US/Samoa" },
  { "Ulaanbaatar Standard Time", -1, "Asia/Ulaanbaatar",
    "Asia/Choibalsan Asia/Ulan_Bator" },
  { "Venezuela Standard Time", -1, "America/Caracas",
    "" },
  { "Vladivostok Standard Time", 270, "Asia/Vladivostok",
    "Asia/Ust-Nera" },
  { "Volgograd Standard Time", -1, "Europe/Volgograd",
    "" },
  { "W. Australia Standard Time", 225, "Australia/Perth",
    "Australia/West" },
  { "W. Central Africa Standard Time", 113, "Africa/Lagos",
    "Africa/Algiers Africa/Bangui Africa/Brazzaville Africa/Douala "
    "Africa/Kinshasa Africa/Libreville Africa/Luanda Africa/Malabo "
    "Africa/Ndjamena Africa/Niamey Africa/Porto-Novo Africa/Tunis "
    "Etc/GMT-1" },
  { "W. Europe Standard Time", 110, "Europe/Berlin",
    "Arctic/Longyearbyen Atlantic/Jan_Mayen Europe/Amsterdam "
    "Europe/Andorra Europe/Busingen Europe/Gibraltar Europe/Luxembourg "
    "Europe/Malta Europe/Monaco Europe/Oslo Europe/Rome "
    "Europe/San_Marino Europe/Stockholm Europe/Vaduz Europe/Vatican "
    "Europe/Vienna Europe/Zurich" },
  { "W. Mongolia Standard Time", -1, "Asia/Hovd",
    "" },
  { "West Asia Standard Time", 185, "Asia/Tashkent",
    "Antarctica/Mawson Asia/Aqtau Asia/Aqtobe Asia/Ashgabat "
    "Asia/Ashkhabad Asia/Atyrau Asia/Dushanbe Asia/Oral Asia/Samarkand "
    "Etc/GMT-5 Indian/Kerguelen Indian/Maldives" },
  { "West Bank Standard Time", -1, "Asia/Hebron",
    "Asia/Gaza" },
  { "West Pacific Standard Time", 275, "Pacific/Port_Moresby",
    "Antarctica/DumontDUrville Etc/GMT-10 Pacific/Chuuk Pacific/Guam "
    "Pacific/Saipan Pacific/Truk Pacific/Yap" },
  { "Yakutsk Standard Time", 240, "Asia/Yakutsk",
    "Asia/Khandyga" },
  { "Yukon Standard Time", -1, "America/Whitehorse",
    "America/Dawson Canada/Yukon" },
};
/* clang-format on */

static bool
list_has (const char *list, const char *name)
{
  const size_t len = strlen (name);

  for (const char *p = list; *p != '\0';) {
    const size_t n = strcspn (p, " ");

    if (n == len && strncasecmp (p, name, n) == 0)
      return true;
    p += n;
    p += strspn (p, " ");
  }
  return false;
}

const struct v2v_time_zone *
v2v_time_zone_find (const char *name)
{
  const size_t nr = sizeof zones / sizeof zones[0];

  if (strchr (name, ' ') == NULL)
    for (size_t i = 0; i < nr; ++i)
      if (strcasecmp (zones[i].iana, name) == 0 ||
          list_has (zones[i].others, name))
        return &zones[i];
  for (size_t i = 0; i < nr; ++i)
    if (strcasecmp (zones[i].windows, name) == 0)
      return &zones[i];
  return NULL;
}

bool
v2v_time_zone_is_windows_name (const struct v2v_time_zone *z, const char *name)
{
  return strcasecmp (z->windows, name) == 0 && strcmp (name, "UTC") != 0;
}
